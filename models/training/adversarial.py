"""Losses of adversarial training: cross-entropy at the worst picture (Madry), and TRADES."""

from torch import Tensor
from torch.nn.functional import cross_entropy

from models.attacks.maps import Logits
from models.training.ascent import Values


def losses(logits: Logits, labels: Tensor) -> Values:
    """The cross-entropy of each picture, -log p(label), in nats: what PGD raises.

    Reference: Madry et al. (2018), arXiv:1706.06083.
    """
    return lambda pictures: cross_entropy(logits(pictures), labels, reduction="none")


def divergence(clean: Tensor, there: Tensor) -> Tensor:
    """KL(p ‖ q) in nats of each pair of predictions, (n,), from logits (n, classes).

    p is the softmax of `clean`, q that of `there`.
    """
    p, q = clean.log_softmax(dim=1), there.log_softmax(dim=1)
    return (p.exp() * (p - q)).sum(dim=1)


def away(logits: Logits, clean: Tensor) -> Values:
    """How far each picture's prediction is from the clean logits: what TRADES raises.

    Reference: Zhang et al. (2019), arXiv:1901.08573, with KL as the surrogate of the boundary loss.
    """
    return lambda pictures: divergence(clean.detach(), logits(pictures))


def trades(clean: Tensor, there: Tensor, labels: Tensor, weight: float) -> Tensor:
    """The loss of TRADES: mean CE(clean, labels) + weight · mean KL(clean ‖ there).

    clean, there: logits of the clean and of the perturbed pictures. The paper's 1/λ is the weight.

    Reference: Zhang et al. (2019), arXiv:1901.08573, equation 5.
    """
    return cross_entropy(clean, labels) + weight * divergence(clean, there).mean()
