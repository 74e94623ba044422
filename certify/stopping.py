"""When to stop sampling: the asked claim is proven, or no outcome of the budget could prove it.

Looked at after fixed numbers of samples only, so that the same request ends at the same sample
however the work is cut. Anytime bounds hold at every number of samples at once; where one stops,
and why, costs nothing.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from certify.certificate import Certificate, budget_of, certify
from certify.claims import at_least, swaps_for
from certify.confidence import METHODS
from certify.document import Asked
from certify.evidence import Evidence
from certify.exact import decimal
from certify.fields import require
from certify.plan import Plan, Question

STRIDE, SHARE = 64, 8
# Routes search in floats for the best proof; a claim this close to the best is not called hopeless.
MARGIN = 1e-3
_BLOCK = 1024
# What the rounding of floats may do to a step from one bound to the next.
_ROUNDING = 1e-6

Reason = Literal["proven", "futile", "spent"]


@dataclass(frozen=True)
class Ending:
    """Why sampling ended.

    proven: the asked claim is. futile: the most favourable votes in the samples left would not
    prove it; `could_keep` and `could_radius` are what they would: so many of the reported within
    the asked radius, and the radius for the asked number. spent: neither, and no budget is left.
    """

    reason: Reason
    could_keep: int = 0
    could_radius: float = 0.0


def checkpoints(samples: int) -> tuple[int, ...]:
    """The numbers of samples after which a budget of `samples` is looked at, the last of them all.

    Every 64 up to 576, then about an eighth further each time, in multiples of 64.
    """
    require(samples >= 1, "samples", samples, "be at least 1")
    found, at = [], STRIDE
    while at < samples:
        found.append(at)
        at += max(STRIDE, at // SHARE // STRIDE * STRIDE)
    return (*found, samples)


def wanted(asked: Asked, certificate: Certificate) -> int:
    """How many of the reported the asked overlap means; never fewer than stay at any radius."""
    kept = at_least(certificate.k, swaps_for(decimal(asked.overlap or 0.5), certificate.k))
    return max(kept, certificate.curve[-1].at_least)


def proves(asked: Asked, certificate: Certificate) -> bool:
    """Whether the claim that was asked is proven: overlap and radius both, or what was given."""
    if not asked.overlap:
        return certificate.at_least_within(asked.radius) > 0
    reached = certificate.radius_for(wanted(asked, certificate))
    return reached > 0 and reached >= asked.radius


def ending(
    plan: Plan, evidence: Evidence, question: Question, asked: Asked, certificate: Certificate
) -> Ending | None:
    """Whether sampling ends here, and why; None while it is worth going on.

    `certificate` is what `evidence` proves. Only a request to stop when proven ends early.
    """
    if asked.stop == "never":
        return None
    if proves(asked, certificate):
        return Ending("proven")
    if evidence.samples == question.samples:
        return Ending("spent")
    best = favourable(plan, evidence, question)
    if best is None or best.radius_for(wanted(asked, best)) * (1 + MARGIN) >= asked.radius:
        return None
    could = best.radius_for(wanted(asked, best))
    return Ending("futile", best.at_least_within(asked.radius), could)


def favourable(plan: Plan, evidence: Evidence, question: Question) -> Certificate | None:
    """A certificate that no outcome of the samples left in the budget proves more than.

    Every sample left votes for the k most voted and for nothing else, and the votes drawn so far
    are lined up: each feature's in the first samples, so that no vote for a less voted feature
    stands against one for a more voted. Counts stay what they are, and every bound is the loosest
    the counts allow (proof in docs/stopping.md). None if there are fewer votes in a sample than k:
    then this is further off than anything that can happen, and some routes say nothing about it.
    None, too, where samples give points: nothing of the kind is proven for them; and if the bounds
    on pairs are not what the proof asks of them, which has not been seen.
    """
    if not plan.votes_only or plan.recipe.votes < question.k:
        return None
    each = budget_of(plan, question, question.samples)
    if evidence.votes is not None and not increments_rise(
        question.samples, float(each.each_pair(plan.features))
    ):
        return None
    best = np.zeros(plan.features, dtype=bool)
    best[np.argsort(-evidence.counts, kind="stable")[: question.k]] = True
    counts = evidence.counts + (question.samples - evidence.samples) * best
    agreeing = int(np.count_nonzero(evidence.predictions == plan.target))
    agreeing += question.samples - evidence.samples
    predictions = np.full(question.samples, plan.target + 1, dtype=np.int32)
    predictions[:agreeing] = plan.target
    lined_up = Evidence(
        ranges=((0, question.samples),),
        features=plan.features,
        votes=None if evidence.votes is None else _lined_up(counts, question.samples),
        counts=counts,
        predictions=predictions,
    )
    return certify(plan, lined_up, question)


@lru_cache(maxsize=64)
def increments_rise(samples: int, failure: float) -> bool:
    """Whether each count more raises the anytime lower bound by no less than the one before did.

    For every count of `samples`, in floats. That votes which are lined up suit the pairwise route
    best rests on it (docs/stopping.md), so it is looked at for the very numbers in question.
    """
    counts = np.arange(1.0, samples + 1)
    lower = np.concatenate([[0.0], METHODS["anytime"].guess(counts, samples, failure)])
    steps = np.diff(lower)
    return bool(np.all(np.maximum.accumulate(steps) <= steps * (1 + _ROUNDING)))


def _lined_up(counts: NDArray[np.int64], samples: int) -> NDArray[np.uint8]:
    """Packed votes with these counts: feature i is voted for in the first counts[i] samples."""
    edges = [*range(0, samples, _BLOCK), samples]
    blocks = [
        np.packbits(np.arange(start, stop)[:, None] < counts, axis=1)
        for start, stop in pairwise(edges)
    ]
    return np.concatenate(blocks)
