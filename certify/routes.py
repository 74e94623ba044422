"""The routes: different arguments about the same boundary, each sound by itself."""

from collections.abc import Mapping

from certify import pairwise, per_feature, renyi, simplex
from certify.claims import Boundary
from certify.confidence import Budget
from certify.evidence import Evidence
from certify.plan import Plan


def prove(
    plan: Plan, evidence: Evidence, examined: Boundary, budget: Budget
) -> Mapping[str, list[int]]:
    """What each route proves for swaps = 1, 2, …: radii in units of 10^-7 by the route's name.

    The pairwise route needs single votes, and a share of the failure probability.
    """
    law, votes = plan.recipe.noise, plan.recipe.votes
    routes = {
        "per_feature": per_feature.radii(examined, law),
        "simplex": simplex.radii(examined, votes, law),
        "renyi": renyi.radii(examined, votes, law),
    }
    pairs = pairwise.count(evidence, examined.reported) if budget.split.pairs else None
    if pairs is not None:
        routes["pairwise"] = pairwise.radii(pairs, plan.features, budget, law)
    return routes
