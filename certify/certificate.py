"""From evidence to certificate: the whole argument on one page.

counts → simultaneous bounds → the boundary of the reported set → what each route refutes → for each
number of features kept, the best radius.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from certify import means, per_feature
from certify.ball import NormBall
from certify.claims import Boundary, at_least, boundary
from certify.confidence import ONE, Bounds, Budget, Units, split
from certify.evidence import VOTES_FEATURES, Evidence
from certify.exact import decimal
from certify.fields import require
from certify.noise import table
from certify.plan import Plan, Question
from certify.radius import intensity
from certify.routes import prove


@dataclass(frozen=True)
class Point:
    """At least `at_least` of the k reported features are in every top k within `radius`.

    radius: in the question's norm and [0, 1] intensity, the largest of `routes`; 0 proves nothing.
    route: the one that proved it.
    """

    at_least: int
    radius: float
    route: str
    routes: Mapping[str, float]


@dataclass(frozen=True)
class Prediction:
    """The network under noise keeps the target class within `radius`; 0 with a reason if unproven.

    agreeing: samples of `samples` that the network gave the target class. lower: proven lower bound
    of that probability. Reference: Cohen, Rosenfeld & Kolter (2019), arXiv:1902.02918.
    """

    target: int
    agreeing: int
    samples: int
    lower: float
    radius: float
    reason: str | None


@dataclass(frozen=True, eq=False)
class Certificate:
    """What the evidence proves, all of it at once with the question's confidence.

    reported: the k features of most votes, or points, best first. curve: one point for each number
    of features kept, from all k downwards; radii never fall along it. Fewer than the curve's last
    are kept at any radius, for want of other features. feature_radii: for each feature the radius
    within which its majority label cannot change, positive if voted by most, negative if not, 0 if
    undecided; all 0 where samples give points, not votes.
    """

    k: int
    reported: tuple[int, ...]
    curve: tuple[Point, ...]
    prediction: Prediction
    feature_radii: NDArray[np.float64]

    def radius_for(self, kept: int) -> float:
        """Radius within which at least `kept` of the reported stay. ValueError off the curve."""
        for point in self.curve:
            if point.at_least == kept:
                return point.radius
        last = self.curve[-1].at_least
        raise ValueError(f"at_least is {kept}; it must lie in {last}..{self.k}")

    def at_least_within(self, radius: float) -> int:
        """How many of the reported provably stay under any change up to `radius`; may be 0."""
        return next((point.at_least for point in self.curve if point.radius >= radius), 0)

    def labels(self, radius: float) -> NDArray[np.int8]:
        """+1 important, −1 unimportant, 0 undecided: majority labels proven up to `radius`."""
        proven = (np.abs(self.feature_radii) >= radius) & (self.feature_radii != 0)
        return np.where(proven, np.sign(self.feature_radii), 0).astype(np.int8)


def certify(plan: Plan, evidence: Evidence, question: Question) -> Certificate:
    """Everything the evidence proves about the plan's map, for k reported features.

    With probability at least 1 − failure_probability over the key, for every picture within a
    point's radius, every top-k set of the smoothed map there holds at least `at_least` of the
    reported. Raises ValueError if the evidence does not fit plan or question.
    """
    _require_fit(plan, evidence, question)
    budget = budget_of(plan, question, evidence.samples)
    simultaneous = feature_bounds(plan, evidence.counts, evidence.squares, budget)
    examined = boundary(evidence.counts, simultaneous, question.k)
    return Certificate(
        k=question.k,
        reported=examined.reported,
        curve=_curve(examined, prove(plan, evidence, examined, budget, question.ball(plan))),
        prediction=_prediction(plan, evidence, budget, question.ball(plan)),
        feature_radii=_feature_radii(plan, simultaneous, question.ball(plan)),
    )


def budget_of(plan: Plan, question: Question, samples: int) -> Budget:
    """How a document about this plan spends its failure probability."""
    return Budget(
        samples,
        question.confidence,
        decimal(question.failure_probability),
        split(plan.votes_only and plan.features <= VOTES_FEATURES),
        table(plan.recipe.noise).distance(plan.entries),
    )


def feature_bounds(plan: Plan, counts: Units, squares: Units | None, budget: Budget) -> Bounds:
    """Simultaneous bounds on every feature's vote probability, or mean points over the largest.

    counts, squares: as in evidence; squares are not looked at where samples vote.
    """
    if plan.votes_only or squares is None:
        return budget.features(counts)
    return means.bounds(
        counts,
        squares,
        int(plan.points[0]),
        budget.samples,
        budget.confidence,
        budget.each_feature(plan.features),
        budget.slack,
    )


def _curve(examined: Boundary, routes: Mapping[str, list[int]]) -> tuple[Point, ...]:
    """For every number of swaps what each route proves, and the best of them."""
    points = []
    for index in range(examined.largest_swaps):
        best = max(routes, key=lambda route: routes[route][index])
        proven = {route: intensity(radii[index]) for route, radii in routes.items()}
        kept = at_least(len(examined.inside), index + 1)
        points.append(Point(kept, proven[best], best, proven))
    return tuple(points)


def _require_fit(plan: Plan, evidence: Evidence, question: Question) -> None:
    features, samples = evidence.features, evidence.samples
    require(features == plan.features, "features of the evidence", features, f"be {plan.features}")
    fits, kind = (evidence.squares is None) == plan.votes_only, plan.recipe.score
    require(fits, "evidence", "of votes or points", f"fit the recipe's score, {kind}")
    # Bounds hold for the samples from the first on; whoever chose which to count could cheat.
    whole = evidence.ranges == (((0, samples),) if samples else ())
    require(whole, "ranges of the evidence", evidence.ranges, "be all samples from 0 on")
    asked = question.samples
    fits = samples == asked if question.confidence == "fixed" else samples <= asked
    rule = f"be the {asked} asked for" if question.confidence == "fixed" else f"be at most {asked}"
    require(fits, "samples", samples, rule)


def _prediction(plan: Plan, evidence: Evidence, budget: Budget, norm: NormBall) -> Prediction:
    samples, agreeing = evidence.samples, int((evidence.predictions == plan.target).sum())
    lower = int(budget.prediction(agreeing).lower[0])
    radius = intensity(per_feature.class_radius(lower, plan.recipe.noise, norm))
    reason = None
    if not radius:
        reason = (
            f"{agreeing} of {samples} noisy pictures were given class {plan.target}; "
            "a majority is not proven"
        )
    return Prediction(plan.target, agreeing, samples, lower / ONE, radius, reason)


def _feature_radii(plan: Plan, simultaneous: Bounds, norm: NormBall) -> NDArray[np.float64]:
    if not plan.votes_only:
        return np.zeros(plan.features)
    lower, upper = simultaneous.lower.tolist(), simultaneous.upper.tolist()
    radii = per_feature.label_radii(lower, upper, plan.recipe.noise, norm)
    return np.array([intensity(units) for units in radii])
