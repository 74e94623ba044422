"""What a certificate is made of: CPU seconds of each part of `certify.certificate.certify`."""

from bench.clock import Clock
from certify import pairwise, per_feature, renyi, simplex
from certify.certificate import budget_of, feature_bounds
from certify.claims import boundary
from certify.evidence import Evidence
from certify.noise import Gaussian
from certify.plan import Plan, Question


def parts(plan: Plan, evidence: Evidence, question: Question) -> Clock:
    """Every part that there is for the plan's law and this evidence of votes, once, in order."""
    clock, law, norm = Clock(), plan.recipe.noise, question.ball(plan)
    with clock("table"):
        budget = budget_of(plan, question, evidence.samples)
    with clock("bounds"):
        both = feature_bounds(plan, evidence.counts, None, budget)
    cut = boundary(evidence.counts, both, question.k)
    with clock("per_feature"):
        per_feature.radii(cut, law, norm)
    if isinstance(law, Gaussian):
        with clock("simplex"):
            simplex.radii(cut, plan.weight, law)
    with clock("renyi"):
        renyi.radii(cut, plan.weight, law, norm)
    with clock("pairs counted"):
        pairs = pairwise.count(evidence, cut.reported)
    if pairs is not None:
        with clock("pairwise"):
            pairwise.radii(pairs, plan.features, budget, law, norm)
    with clock("labels"):
        per_feature.label_radii(both.lower.tolist(), both.upper.tolist(), law, norm)
    return clock
