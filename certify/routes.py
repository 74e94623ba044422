"""The routes: different arguments about the same boundary, each sound by itself."""

from collections.abc import Mapping

from certify import pairwise, per_feature, renyi, simplex
from certify.ball import NormBall
from certify.claims import Boundary
from certify.confidence import Budget
from certify.evidence import Evidence
from certify.noise import Gaussian
from certify.norms import from_euclidean
from certify.plan import Plan


def prove(
    plan: Plan, evidence: Evidence, examined: Boundary, budget: Budget, norm: NormBall
) -> Mapping[str, list[int]]:
    """What each route proves for swaps = 1, 2, …: radii in units of 10^-7 by the route's name.

    Radii are in the norm of `norm`. The simplex route needs Gaussian noise, the pairwise route
    single votes and a share of the failure probability.
    """
    law, weight = plan.recipe.noise, plan.weight
    routes = {"per_feature": per_feature.radii(examined, law, norm)}
    if isinstance(law, Gaussian):
        routes["simplex"] = from_euclidean(simplex.radii(examined, weight, law), norm)
    routes["renyi"] = renyi.radii(examined, weight, law, norm)
    pairs = pairwise.count(evidence, examined.reported) if budget.split.pairs else None
    if pairs is not None:
        routes["pairwise"] = pairwise.radii(pairs, plan.features, budget, law, norm)
    return routes
