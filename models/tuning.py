"""How fast one network draws samples here, by precision and by lanes, and what low precision moves.

What comes out is advice: which options of a recipe are quick on this machine. Nothing is chosen by
it, since a precision is another function and lanes may change a rounding.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from certify.plan import Plan, Recipe
from models import images
from models.precision import FLOAT32, precisions
from models.registry import Card
from models.sampling import Sampler

Picture = NDArray[np.uint8]
KEY = "0" * 31 + "1"
# A precision that is so much slower with one picture is not measured with more.
HOPELESS = 2.0
FEW = 2


@dataclass(frozen=True)
class Trial:
    """One precision and number of lanes.

    samples_per_second: of one thread of a processor, or of a GPU; noise, maps and votes included.
    equal_votes: share of the votes that float32 casts too, of the same samples. equal_predictions:
    share of the samples with the same class.
    """

    precision: str
    lanes: int
    samples_per_second: float
    equal_votes: float
    equal_predictions: float


def tune(
    sampler: Sampler, picture: Picture, lanes: Sequence[int], seconds: float = 1.0
) -> list[Trial]:
    """Measure each precision of the card's base map at one lane and at each number of `lanes`.

    `seconds` is about what one of them gets, in turns. Precisions that are much slower than float32
    with one picture at a time are measured no further.
    """
    base = sampler.card.defaults.attribution
    plans = [usual(sampler, picture, name, 1) for name in precisions(base)]
    alone = {plan: [_seconds(sampler, plan, picture, FEW)] for plan in plans}
    quickest = HOPELESS * alone[plans[0]][0]
    wide = [
        usual(sampler, picture, plan.recipe.precision, number)
        for plan in plans
        if alone[plan][0] <= quickest
        for number in lanes
    ]
    times = alone | {plan: [] for plan in wide}
    agreed = {plan: _agreement(sampler, plan, picture) for plan in times}
    ends = _clock(sampler) + seconds * len(wide)
    while wide and (_clock(sampler) < ends or not times[wide[0]]):
        for plan in wide:
            times[plan].append(_seconds(sampler, plan, picture, plan.recipe.lanes))
    return [_trial(plan, times[plan], agreed[plan]) for plan in times]


def usual(sampler: Sampler, picture: Picture, precision: str, lanes: int) -> Plan:
    """The plan of a request that names nothing but precision and lanes; about class 0."""
    card, side = sampler.card, sampler.card.size
    defaults, digest = card.defaults, images.digest(picture)
    recipe = Recipe(
        law="gaussian",
        shape=2,
        scale=defaults.scale,
        attribution=defaults.attribution,
        cell=defaults.cell,
        votes=max(1, int(defaults.vote_fraction * (side // defaults.cell) ** 2)),
        lanes=lanes,
        precision=precision,
    )
    return Plan(card.name, card.weights, digest, side, side, 3, 0, recipe, KEY)


def recommended(card: Card, trials: Sequence[Trial]) -> tuple[Trial, Trial | None]:
    """The quickest in float32; and the quickest of the others, if it is quicker by a tenth.

    The card's own lanes win against others that are not quicker by a twentieth.
    """
    exact = [each for each in trials if each.precision == FLOAT32]
    own = [each for each in exact if each.lanes == card.lanes]
    best = max(exact, key=lambda each: each.samples_per_second)
    if own and best.samples_per_second < 1.05 * own[0].samples_per_second:
        best = own[0]
    others = [each for each in trials if each.precision != FLOAT32]
    quick = max(others, key=lambda each: each.samples_per_second, default=None)
    if quick is None or quick.samples_per_second < 1.1 * best.samples_per_second:
        return best, None
    return best, quick


def _trial(plan: Plan, seconds: list[float], agreed: tuple[float, float]) -> Trial:
    rate = 1 / median(seconds)
    return Trial(plan.recipe.precision, plan.recipe.lanes, round(rate, 2), *agreed)


def _seconds(sampler: Sampler, plan: Plan, picture: Picture, samples: int) -> float:
    """Seconds for each of the first samples."""
    began = _clock(sampler)
    sampler.draw(plan, picture, 0, samples)
    return (_clock(sampler) - began) / samples


def _clock(sampler: Sampler) -> float:
    """Processor time where the processor computes, which others cannot lengthen."""
    on_cpu = sampler.network.device.type == "cpu"
    return time.process_time() if on_cpu else time.perf_counter()


def _agreement(sampler: Sampler, plan: Plan, picture: Picture) -> tuple[float, float]:
    """Shares of votes and predictions that float32 gives too, for the same samples and lanes."""
    if plan.recipe.precision == FLOAT32:
        return 1.0, 1.0
    exact = replace(plan, recipe=replace(plan.recipe, precision=FLOAT32))
    samples = max(FEW, plan.recipe.lanes)
    one, other = (sampler.rank(each, picture, 0, samples) for each in (exact, plan))
    votes = [places < plan.recipe.votes for places, _ in (one, other)]
    same = float((votes[0] & votes[1]).sum() / votes[0].sum())
    return round(same, 4), round(float((one[1] == other[1]).mean()), 4)
