"""Before sampling: whether what is asked could be proven, and what it would cost."""

from dataclasses import replace
from fractions import Fraction
from math import ceil, isfinite

from certify import feasibility
from certify.noise import LARGEST_SCALE
from service.orders import NO_PICTURE, CertifyOrder, asked_kind, swaps_asked
from service.pool.pools import Pool
from service.results import EstimateAnswer
from service.settings import Settings

UNKNOWN = "How long it takes is unknown: nothing like it was computed here yet."


def estimate(pool: Pool, order: CertifyOrder, settings: Settings) -> EstimateAnswer:
    """What any outcome of the order's samples could prove, and the time they would take.

    Depends on neither the picture nor the target, and reaches no model. The outcome it thinks of
    is the best there is: every sample votes alike. What really happens proves less.
    """
    plan, question = order.noise.plan(order.card, NO_PICTURE, 0), order.question
    radius, swaps = order.asked.radius, swaps_asked(order)
    largest = feasibility.best_radius(plan, question, swaps)
    needed = feasibility.samples_needed(plan, question, radius, swaps)
    feasible = largest > 0 and largest >= radius
    pace = pool.samples_per_second(plan)
    advice = _at_best(needed) if feasible else _remedy(order, largest, needed, settings)
    return EstimateAnswer(
        feasible=feasible,
        asked=asked_kind(order.asked),
        model=order.card.name,
        features=plan.features,
        k=question.k,
        wanted=None if swaps is None else question.k - swaps + 1,
        radius=radius or None,
        samples=question.samples,
        samples_needed=needed,
        largest_radius=largest if isfinite(largest) else None,
        seconds=_seconds(question.samples, pace),
        seconds_at_best=_seconds(needed, pace),
        advice=[*advice, *([] if pace else [UNKNOWN])],
    )


def _seconds(samples: int | None, pace: float | None) -> float | None:
    return round(samples / pace, 2) if samples and pace else None


def _at_best(needed: int | None) -> list[str]:
    return [f"Feasible: at best {needed} samples prove it. Votes that differ take more."]


def _remedy(
    order: CertifyOrder, largest: float, needed: int | None, settings: Settings
) -> list[str]:
    """What would make it feasible: more samples, a smaller radius, more noise."""
    asked, most = order.asked.radius, settings.max_samples
    ways = [f"No outcome of {order.noise.samples} samples could prove it."]
    if needed is None:
        ways.append("No number of samples would do.")
    elif needed > most:
        ways.append(f"{needed} samples would do at best; this server draws at most {most}.")
    else:
        ways.append(f"Ask for {needed} samples, which do at best.")
    if asked and largest:
        ways.append(f"Or ask for radius {largest}, or less.")
    if scale := _scale_needed(order, largest):
        ways.append(f"Or ask for scale {scale}: radii grow with the noise.")
    return ways


def _scale_needed(order: CertifyOrder, largest: float) -> float | None:
    """A scale at which these samples could prove the asked radius, with three digits; or None."""
    recipe, asked = order.noise.recipe, order.asked.radius
    if not asked or not largest:
        return None
    # Radii are proportional to the scale, but for roundings that a fourth digit covers.
    scale = ceil(recipe.scale * asked / largest * 1000 + Fraction(1, 10)) / 1000
    if scale > float(LARGEST_SCALE):
        return None
    noise = replace(order.noise, recipe=replace(recipe, scale=scale))
    plan = noise.plan(order.card, NO_PICTURE, 0)
    reached = feasibility.best_radius(plan, order.question, swaps_asked(order))
    return scale if reached >= asked else None
