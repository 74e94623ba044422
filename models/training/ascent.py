"""Sign ascent in an ℓ∞ ball around each picture, the inner maximisation of adversarial training.

Pictures are (n, height, width, 3) on 0..255, as everywhere; sizes are in grey levels, so that the
usual 8/255 is 8. Unlike in `models.attacks`, they need not be whole grey levels: training sees more
than 8-bit pictures can show.

Reference: Madry et al. (2018), arXiv:1706.06083.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

WHITE = 255.0
# Pictures -> the value to raise of each, (n,), from each picture alone.
Values = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Ball:
    """Where to look and how. bound: ℓ∞ radius, length: of a step, both in grey levels."""

    bound: float
    length: float
    steps: int

    def __post_init__(self) -> None:
        for name in ("bound", "length", "steps"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")


def inside(pictures: Tensor, clean: Tensor, bound: float) -> Tensor:
    """The nearest pictures within `bound` of the clean ones and in 0..255."""
    near = torch.maximum(torch.minimum(pictures, clean + bound), clean - bound)
    return near.clamp(0, WHITE)


def slope(values: Values, pictures: Tensor) -> Tensor:
    """The gradient of each picture's value with respect to it, detached."""
    free = pictures.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(values(free).sum(), free)
    return gradient


def ascend(values: Values, clean: Tensor, start: Tensor, ball: Ball) -> Tensor:
    """The pictures after `ball.steps` sign steps up from clean + start, never outside the ball.

    For a value that is linear in the picture, 2·bound/length steps reach its largest value in the
    ball from any start.
    """
    there = inside(clean + start, clean, ball.bound)
    for _ in range(ball.steps):
        there = inside(there + ball.length * slope(values, there).sign(), clean, ball.bound)
    return there.detach()


def strongest(values: Values, clean: Tensor, starts: Iterable[Tensor], ball: Ball) -> Tensor:
    """For each picture the best end over all starts, or the clean one where none is better.

    Each start runs the same whatever the others, so more of them never give a lower value.
    """
    best = clean.detach()
    with torch.no_grad():
        highest = values(best)
    for start in starts:
        there = ascend(values, clean, start, ball)
        with torch.no_grad():
            reached = values(there)
        better = reached > highest
        best = torch.where(better.view(-1, 1, 1, 1), there, best)
        highest = torch.where(better, reached, highest)
    return best
