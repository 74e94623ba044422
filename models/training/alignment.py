"""ART: the gradient of the true class should point along the picture, that of the rival away.

The paper's text was not at hand; loss and constants are those of the authors' released code (shared
notes, section 2.5). That its attack looks at the k pixels of largest true gradient by leaving all
others out of both angles is our reading.

Reference: Singh et al. (2020), "Attributional robustness training using input-gradient spatial
alignment", arXiv:1911.13073.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, one_hot, softplus

from models.attacks.maps import Logits, gradient
from models.training.ascent import Values


@dataclass(frozen=True)
class Angles:
    """1 - cosine of picture and gradient, (n,): own of the true class, rival of the next."""

    own: Tensor
    rival: Tensor


def rivals(logits: Logits, pictures: Tensor, labels: Tensor) -> Tensor:
    """The most likely class but the label of each picture, (n,)."""
    with torch.no_grad():
        seen = logits(pictures)
    return seen.masked_fill(one_hot(labels, seen.shape[1]).bool(), -torch.inf).argmax(dim=1)


def angles(logits: Logits, pictures: Tensor, labels: Tensor, marks: Tensor | None = None) -> Angles:
    """Both angles of each picture, with slopes to wherever gradients are recorded.

    marks: of the pictures' shape, 1 for values that count and 0 for others; None counts all.
    """
    others = rivals(logits, pictures, labels)
    return Angles(
        _apart(gradient(logits, pictures, labels), pictures, marks),
        _apart(gradient(logits, pictures, others), pictures, marks),
    )


def alignment(seen: Angles) -> Tensor:
    """log(1 + exp(-(rival - own))) of each picture, (n,): low where only the true class aligns."""
    return softplus(seen.own - seen.rival)


def hardest(one: Angles, other: Angles) -> Angles:
    """Of two pictures of the same thing the worse angles: larger own, smaller rival."""
    return Angles(torch.maximum(one.own, other.own), torch.minimum(one.rival, other.rival))


def largest(logits: Logits, pictures: Tensor, labels: Tensor, k: int) -> Tensor:
    """1 at the k values of largest absolute gradient of the label's logit, else 0."""
    with torch.no_grad():
        steep = gradient(logits, pictures, labels).abs().flatten(1)
    marks = torch.zeros_like(steep).scatter_(1, steep.topk(min(k, steep.shape[1])).indices, 1)
    return marks.view(pictures.shape)


def misalignment(logits: Logits, labels: Tensor, marks: Tensor) -> Values:
    """What ART's attack climbs: `alignment` over the marked values."""
    return lambda pictures: alignment(angles(logits, pictures, labels, marks))


def _apart(steep: Tensor, pictures: Tensor, marks: Tensor | None) -> Tensor:
    if marks is not None:
        steep, pictures = steep * marks, pictures * marks
    return 1 - cosine_similarity(steep.flatten(1), pictures.flatten(1), dim=1)
