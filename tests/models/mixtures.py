"""Requests that differ in all that may: picture, target, key, noise, cell, votes, score, sums."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from certify.evidence import Evidence
from certify.plan import Plan
from models import images
from models.lanes import Piece, Said
from models.sampling import Sampler

Kind = Callable[[int, int], Piece]


def about(
    digits: NDArray[np.uint8], plan: Plan, digit: int, *, summed: bool = False, **recipe: object
) -> Kind:
    """Makes pieces about another digit, of another key, for its own class."""
    changed = replace(plan.recipe, **recipe)  # type: ignore[arg-type]
    own = {"image": images.digest(digits[digit]), "target": digit, "key": f"{digit:032x}"}
    other = replace(plan, recipe=changed, **own)  # type: ignore[arg-type]
    return lambda start, stop: Piece(other, digits[digit], start, stop, summed)


def mixed(digits: NDArray[np.uint8], plan: Plan) -> list[Kind]:
    """One kind of each."""
    return [
        about(digits, plan, 0),
        about(digits, plan, 1, scale=0.5),
        about(digits, plan, 2, cell=4, votes=3),
        about(digits, plan, 3, law="laplace", shape=1),
        about(digits, plan, 4, score="linear"),
        about(digits, plan, 5, cell=1, votes=40, law="generalized_normal", shape=4),
        about(digits, plan, 6, summed=True),
        about(digits, plan, 7, summed=True, cell=4, votes=3, scale=0.5),
    ]


def alone(sampler: Sampler, piece: Piece) -> Said:
    """What a piece asks for, computed with nothing beside it."""
    compute = sampler.average if piece.summed else sampler.draw
    return compute(piece.plan, piece.image, piece.start, piece.stop)


def digests(said: Sequence[Said]) -> list[str]:
    """Of evidence and of sums alike."""
    return [
        each.digest() if isinstance(each, Evidence) else hashlib.sha256(each.tobytes()).hexdigest()
        for each in said
    ]
