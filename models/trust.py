"""Whether a network in steps computes what its layers do, on a picture that is always the same."""

import torch
from torch import Tensor, nn

# How far gradients may lie apart, of their length: a value near a kink may fall on its other side.
NEAR = {torch.float32: 0.05, torch.bfloat16: 0.3, torch.float16: 0.3}
Seen = tuple[Tensor, Tensor]


def distrust(module: nn.Module, made: nn.Module, side: int) -> str | None:
    """Why the network in steps, `made`, is not to be used for its layers, `module`, if so.

    What fails in the layers too, such as memory that is short, is raised: other bits for that would
    be worse than no network.
    """
    dtype = next(module.parameters()).dtype
    picture = waves(side).to(dtype)
    wanted = seen(module, picture)
    try:
        found = distance(wanted, seen(made, picture))
    except RuntimeError as error:
        return f"its steps cannot be computed here ({error})"
    if found <= NEAR[dtype]:
        return None
    usual = f"at most {NEAR[dtype]} of their length in {dtype} is usual"
    return f"its steps give gradients {found:.3g} from those of PyTorch; {usual}"


def waves(side: int) -> Tensor:
    """A picture (1, 3, side, side) of values from −2 to 2, the same everywhere."""
    values = torch.arange(3 * side * side, dtype=torch.float64).sqrt().sin() * 2
    return values.float().reshape(1, 3, side, side)


def distance(wanted: Seen, found: Seen) -> float:
    """The distances of logits and of gradients, as shares of those wanted, added."""
    pairs = zip(wanted, found, strict=True)
    return sum(float((a - b).norm() / a.norm()) for a, b in pairs if not torch.equal(a, b))


def seen(module: nn.Module, picture: Tensor) -> Seen:
    """Logits, and the gradient of their squares: of each class by what it weighs."""
    pixels = picture.clone(memory_format=torch.channels_last).requires_grad_()
    with torch.enable_grad():
        logits = module(pixels)
        (slopes,) = torch.autograd.grad(logits.float().square().sum(), pixels)
    return logits.detach().double(), slopes.double()
