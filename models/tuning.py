"""How fast one network draws samples here, by precision and by lanes, and what low precision moves.

What comes out is advice: which options of a recipe are quick on this machine. Nothing is chosen by
it, since a precision is another function and lanes may change a rounding.
"""

import time
from collections.abc import Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from certify.plan import Plan, Recipe
from models import images
from models.gpu.sampler import GpuSampler
from models.precision import FLOAT32, precisions
from models.sampling import Sampler as PlainSampler
from models.trials import Trial

Picture = NDArray[np.uint8]
Sampler = PlainSampler | GpuSampler
KEY = "0" * 31 + "1"
# A precision that is so much slower with one picture is not measured with more.
HOPELESS = 2.0
FEW = 2


def tune(
    sampler: Sampler, picture: Picture, lanes: Sequence[int], seconds: float = 0.5
) -> list[Trial]:
    """Measure each precision of the card's base map with one picture in a pass, and with `lanes`.

    `seconds` is about what each of them gets, in turns, and at least one batch. A precision that is
    much slower than float32 with one picture is measured no further.
    """
    names = [
        name
        for name in precisions(sampler.card.defaults.attribution)
        if sampler.network.computes(name)
    ]
    alone = {name: usual(sampler, picture, name, 1) for name in names}
    # The first pass of each makes the network in that precision.
    for plan in alone.values():
        sampler.draw(plan, picture, 0, 1)
    times = {plan: [_seconds(sampler, plan, picture, FEW)] for plan in alone.values()}
    limit = HOPELESS * times[alone[FLOAT32]][0]
    quick = [name for name, plan in alone.items() if times[plan][0] <= limit]
    wide = [usual(sampler, picture, name, each) for name in quick for each in lanes]
    if isinstance(sampler, GpuSampler):
        # It keeps few kinds of batches ready, so that each has its turns alone; the first batch of
        # a kind is drawn by every way, to see whether they agree.
        for plan in wide:
            sampler.draw(plan, picture, 0, plan.recipe.lanes)
            times |= _in_turns(sampler, [plan], picture, seconds)
    else:
        times |= _in_turns(sampler, wide, picture, seconds)
    agreed = {
        name: _agreement(sampler, picture, name, max(lanes) if name in quick else 1)
        for name in names
    }
    in_order = sorted(times, key=lambda plan: names.index(plan.recipe.precision))
    return [_trial(plan, times[plan], agreed[plan.recipe.precision]) for plan in in_order]


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


def _in_turns(
    sampler: Sampler, plans: Sequence[Plan], picture: Picture, seconds: float
) -> dict[Plan, list[float]]:
    """Seconds for a sample of each plan, a batch of each in turn, so that all see the same load."""
    times: dict[Plan, list[float]] = {plan: [] for plan in plans}
    ends = _clock(sampler) + seconds * len(plans)
    while True:
        for plan in plans:
            times[plan].append(_seconds(sampler, plan, picture, plan.recipe.lanes))
        if _clock(sampler) > ends:
            return times


def _seconds(sampler: Sampler, plan: Plan, picture: Picture, samples: int) -> float:
    """Seconds for each of the first samples."""
    began = _clock(sampler)
    sampler.draw(plan, picture, 0, samples)
    return (_clock(sampler) - began) / samples


def _clock(sampler: Sampler) -> float:
    """Processor time where the processor computes, which others cannot lengthen."""
    on_cpu = sampler.network.device.type == "cpu"
    return time.process_time() if on_cpu else time.perf_counter()


def _agreement(
    sampler: Sampler, picture: Picture, precision: str, lanes: int
) -> tuple[float, float, float]:
    """Cosine of the mean maps, shares of equal votes and predictions: against float32."""
    if precision == FLOAT32:
        return 1.0, 1.0, 1.0
    samples = max(FEW, lanes)
    plans = [usual(sampler, picture, name, lanes) for name in (FLOAT32, precision)]
    means = [sampler.average(plan, picture, 0, samples) for plan in plans]
    sizes = [float(np.linalg.norm(mean)) for mean in means]
    cosine = float(means[0] @ means[1]) / (sizes[0] * sizes[1]) if all(sizes) else 0.0
    ranked = [sampler.rank(plan, picture, 0, samples) for plan in plans]
    votes = [places < plans[0].recipe.votes for places, _ in ranked]
    same = float((votes[0] & votes[1]).sum() / votes[0].sum())
    alike = float((ranked[0][1] == ranked[1][1]).mean())
    return round(cosine, 6), round(same, 4), round(alike, 4)


def _trial(plan: Plan, seconds: list[float], agreed: tuple[float, float, float]) -> Trial:
    rate = round(1 / median(seconds), 2)
    return Trial(plan.recipe.precision, plan.recipe.lanes, rate, *agreed)
