"""DANCE as a base attribution: decoys of the very pictures that are explained, few and quickly.

What a certificate is about must be a fixed function of the noisy picture. So each noisy picture
gets its own decoys, found by the same search as any, and nothing comes from the clean picture.
"""

import torch
from torch import Tensor

from models.attribution.gradient import gradient, gradient_of
from models.attribution.targets import Target
from models.decoys.constraint import Kept
from models.decoys.lattice import SIGNS, Board, Lattice
from models.decoys.search import Search
from models.decoys.solver import solve, together
from models.layers import Field, field, front
from models.loading import Network

TOLERANCE, CAP, STEPS = 0.3, 128, 2


def dance(network: Network, images: Tensor, target: Target) -> Tensor:
    """Return max − min of ∂ logit_target / ∂ x̃ over each image x and four decoys x̃ of it.

    Maps are (n, height, width, 3) in logits per grey level, none negative. Decoys keep the values
    of the card's layer within 0.3 of their standard deviation and move by at most 128 grey levels.
    Patches are one pixel smaller than the layer's field, so that four lattices hold them all; two
    lattices move up and two down.
    """
    return dance_and_logits(network, images, target)[0]


def dance_and_logits(network: Network, images: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Return the maps of `dance` and the logits (n, classes) of the images themselves."""
    highest, logits = gradient_of(network, images, target)
    lowest = highest
    for found in decoys(network, images):
        scores = gradient(network, found, target)
        highest, lowest = torch.maximum(highest, scores), torch.minimum(lowest, scores)
    return highest - lowest, logits


def decoys(network: Network, images: Tensor) -> list[Tensor]:
    """Four decoys of each image, (n, height, width, 3) each; fewer where a value sees it all."""
    side, layer = images.shape[1], network.card.defaults.layer
    patch = _patch(field(front(network.module, layer)), side)
    search = Search("lattice", layer, patch, patch, TOLERANCE, CAP, STEPS)
    kept = Kept(network, search, images)
    lattice = Lattice.of(side, search, kept.field)
    found = []
    for number in range(lattice.phases**2):
        row, column = divmod(number, lattice.phases)
        group = len(SIGNS) * number + (row + column) % len(SIGNS)
        board = Board(lattice, [group] * len(images), kept.field, kept.plane, images.device)
        solution = solve(kept, images, board, search)
        found.append(images + together(kept, images, board, solution))
    return found


def _patch(seen: Field | None, side: int) -> int:
    """The smallest side of which patches two apart never meet in a value."""
    return side if seen is None else min(side, max(1, seen.size - 1))
