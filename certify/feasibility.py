"""Before sampling: what no outcome of so many samples could prove, and how many could."""

from dataclasses import replace

import numpy as np

from certify import per_feature, renyi
from certify.claims import Boundary
from certify.confidence import bounds, split
from certify.evidence import VOTES_FEATURES
from certify.exact import decimal
from certify.fields import require
from certify.noise import table
from certify.plan import Plan, Question
from certify.radius import intensity

MOST_SAMPLES = 10**8


def best_radius(plan: Plan, question: Question) -> float:
    """No outcome of `question.samples` samples proves more than this radius for any overlap.

    The best outcome is unanimous: every sample votes for the k reported and for no other feature.
    Every route is monotone in the bounds, so none does better on less.
    """
    examined = _unanimous(plan, question)
    law, swaps = plan.recipe.noise, examined.largest_swaps
    # With fewer votes than k, unanimity about k features is out of reach and its masses exceed 1:
    # the Rényi route's limit is then not computed, but nothing is refused that might be proven.
    if plan.recipe.votes < question.k and examined.inside[0] > examined.outside[0]:
        return float("inf")
    return intensity(
        max(
            per_feature.radius(examined, swaps, law),
            renyi.radius(examined, swaps, plan.recipe.votes, law),
        )
    )


def samples_needed(plan: Plan, question: Question, radius: float) -> int | None:
    """The fewest samples of which some outcome proves `radius` (0: anything at all).

    None if MOST_SAMPLES do not suffice.
    """

    def could(samples: int) -> bool:
        reached = best_radius(plan, replace(question, samples=samples))
        return reached > 0 and reached >= radius

    high = 1
    while not could(high):
        high *= 2
        if high > MOST_SAMPLES:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if could(middle) else (middle, high)
    return high


def _unanimous(plan: Plan, question: Question) -> Boundary:
    k, features = question.k, plan.features
    require(k < features, "k", k, f"be below the {features} features")
    failure = (
        decimal(question.failure_probability)
        * decimal(split(features <= VOTES_FEATURES).features)
        / features
    )
    slack = table(plan.recipe.noise).distance(plan.entries)
    both = bounds(
        np.array([question.samples, 0]), question.samples, question.confidence, failure, slack
    )
    inside, outside = np.repeat(both.lower[:1], k), np.repeat(both.upper[1:], features - k)
    return Boundary(tuple(range(k)), inside, outside)
