"""The rows that several pages compare: what the first samples of one picture prove, by whose proof.

Competitors fix the number of samples beforehand, so our rows do too; "anytime" is our best with
bounds that hold at every number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.drawn import Drawn
from certify.certificate import Certificate, certify
from certify.evidence import Evidence
from certify.plan import Plan, Question
from certify.published import levine_radii, liu_radius

ROUTES = ("renyi", "simplex", "per_feature", "pairwise")
FAILURE_PROBABILITY = 0.001


@dataclass(frozen=True, eq=False)
class Compared:
    """One picture's first samples, and what each row says of the k = votes reported.

    asked, proven: with the number of samples chosen beforehand. radii: by row, within which fewer
    than one, fewer than two, … swaps happen, in [0, 1] intensity; "liu2021" is as published, and
    no proof.
    """

    plan: Plan
    evidence: Evidence
    asked: Question
    proven: Certificate
    anytime: Certificate
    radii: Mapping[str, list[float]]


def compared(kept: Drawn, samples: int) -> Compared:
    """Every row of the first samples."""
    plan, evidence = kept.plan, kept.evidence(samples)
    k, scale = plan.recipe.votes, plan.recipe.scale
    asked = Question(k, samples, FAILURE_PROBABILITY, "fixed", "2")
    proven = certify(plan, evidence, asked)
    anytime = certify(plan, evidence, replace(asked, confidence="anytime"))
    masses = (evidence.counts / (samples * k)).tolist()
    radii = {
        "liu2021": [liu_radius(scale, masses, k, n + 1) for n in range(len(proven.curve))],
        "levine2019": levine_radii(scale, evidence.counts, samples, k, FAILURE_PROBABILITY),
        **{route: [point.routes[route] for point in proven.curve] for route in ROUTES},
        "best": issued(proven),
        "anytime": issued(anytime),
    }
    return Compared(plan, evidence, asked, proven, anytime, radii)


def issued(proven: Certificate) -> list[float]:
    """The radius issued for one swap, two swaps, …"""
    return [point.radius for point in proven.curve]


def share_kept(radii: Sequence[float], radius: float, k: int) -> float:
    """The share of the k reported that stays within `radius`: k − i if radii[i] reaches so far."""
    return max((k - index for index, proven in enumerate(radii) if proven >= radius), default=0) / k
