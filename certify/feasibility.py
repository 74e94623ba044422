"""Before sampling: what no outcome of so many samples could prove, and how many could."""

from dataclasses import replace

import numpy as np

from certify import per_feature, renyi, simplex
from certify.certificate import budget_of, feature_bounds
from certify.claims import Boundary
from certify.fields import require
from certify.noise import Gaussian
from certify.norms import from_euclidean
from certify.plan import Plan, Question
from certify.radius import intensity

MOST_SAMPLES = 10**8


def best_radius(plan: Plan, question: Question, swaps: int | None = None) -> float:
    """No outcome of `question.samples` samples proves more than this radius for `swaps` swaps.

    Without `swaps`, for any overlap. The best outcome is unanimous: every sample votes for the k
    reported and for no other feature, or gives the k the most points there are and others none.
    Every route is monotone in the bounds, so none does better on less. Pairs are then as clear as
    features, with a smaller share each: that route need not be asked. Infinite, which refuses
    nothing, if a sample has less than k votes to give: unanimity about k features is then out of
    reach, and its masses exceed 1.
    """
    examined = _unanimous(plan, question)
    law, weight = plan.recipe.noise, plan.weight
    most = examined.largest_swaps
    swaps = min(swaps or most, most)
    if weight < question.k and examined.inside[0] > examined.outside[0]:
        return float("inf")
    norm = question.ball(plan)
    routes = [
        per_feature.radius(examined, swaps, law, norm),
        renyi.radius(examined, swaps, weight, law, norm),
    ]
    if isinstance(law, Gaussian):
        routes += from_euclidean([simplex.radius(examined, swaps, weight, law)], norm)
    return intensity(max(routes))


def samples_needed(
    plan: Plan, question: Question, radius: float, swaps: int | None = None
) -> int | None:
    """The fewest samples of which some outcome proves `radius` (0: anything) for `swaps` swaps.

    None if MOST_SAMPLES do not suffice.
    """

    def could(samples: int) -> bool:
        reached = best_radius(plan, replace(question, samples=samples), swaps)
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
    samples = question.samples
    budget = budget_of(plan, question, samples)
    top = int(plan.points[0])
    counts = np.array([samples * top] * k + [0] * (features - k), dtype=np.int64)
    both = feature_bounds(plan, counts, counts * top, budget)
    return Boundary(tuple(range(k)), both.lower[:k], both.upper[k:])
