"""SAT: train on pictures whose salient values were lowered, more of them as training goes on.

A saliency map S in [-1, 1] marks what speaks for the class. At epoch t each value is moved against
S with probability p_t, else by a random sign; no gradient is needed. The paper's text was not at
hand: formula and constants are those of the authors' released code (shared notes, section 3),
with one correction, that every picture stays in its ball.

Reference: Sarkar, Sarkar & Balasubramanian (2020), "Saliency-driven Adversarial Training", ECML.
"""

import torch
from torch import Tensor

from models.training.ascent import inside


def salient_share(epoch: int, base: float) -> float:
    """p_t = 1 - base^(t/10): 0 at the first epoch, towards 1. ValueError unless base is in [0, 1].

    A base of 1 keeps it 0 for ever: random signs alone, the control without any saliency.
    """
    if not 0 <= base <= 1:
        raise ValueError(f"base is {base}; it must lie in [0, 1]")
    return 1 - float(base ** (epoch / 10))


def lowered(
    start: Tensor,
    clean: Tensor,
    saliency: Tensor,
    share: float,
    picks: Tensor,
    signs: Tensor,
    bound: float,
) -> Tensor:
    """start - bound · δ cut to the ball around `clean`; δ = S where picks < share, else the sign.

    start: the clean pictures, or those after a random start, from which the released code leaves
    the ball by up to as much again. saliency: (n, height, width, 3) or (n, height, width, 1), in
    [-1, 1]. picks: uniform in [0, 1). signs: -1 or 1, both of the pictures' shape. Maps of one sign
    only ever lower values, those of two signs also raise some: a difference between sources that is
    part of the method as released.
    """
    delta = torch.where(picks < share, saliency.expand_as(clean), signs)
    return inside(start - bound * delta, clean, bound)
