"""Certificates in plain words, so that nobody has to read the numbers to know what they say."""

from certify.certificate import Certificate
from certify.claims import at_least, swaps_for
from certify.document import Asked
from certify.exact import decimal
from certify.plan import Plan, Question


def confidence(failure_probability: float) -> str:
    """1 − failure_probability as a percentage: 0.001 gives "99.9 %"."""
    return f"{float((1 - decimal(failure_probability)) * 100):.10g} %"


def answer(asked: Asked, certificate: Certificate) -> tuple[int, float]:
    """The point that answers what was asked: (at least so many of the reported stay, radius).

    An asked radius gives the number kept within it, 0 if none is proven. An asked overlap gives
    the radius at which it holds, 0 if unproven. Neither asks for the larger half of the reported.
    """
    if asked.radius:
        return certificate.at_least_within(asked.radius), asked.radius
    overlap = decimal(asked.overlap or 0.5)
    kept = at_least(certificate.k, swaps_for(overlap, certificate.k))
    kept = max(kept, certificate.curve[-1].at_least)
    return kept, certificate.radius_for(kept)


def claim(kept: int, radius: float, k: int, failure_probability: float) -> str:
    """The claim as one sentence; an abstention says that nothing is proven."""
    if not kept or not radius:
        return (
            f"Nothing is proven about how many of the {k} most important regions stay"
            f"{f' under changes of ℓ2 size {radius:g}' if radius else f', for {kept} or more'}."
        )
    return (
        f"At least {kept} of the {k} most important regions stay the most important under any "
        f"change of ℓ2 size {radius:g}; confidence {confidence(failure_probability)}."
    )


def prediction(certificate: Certificate, label: str) -> str:
    """What is proven about the class, as one sentence."""
    proven = certificate.prediction
    if proven.reason:
        return f"The class {label} is not certified: {proven.reason}."
    return (
        f"Under this noise the network keeps calling it {label} "
        f"under any change of ℓ2 size {proven.radius:g}."
    )


def regions(certificate: Certificate, radius: float) -> str:
    """How many regions keep their majority label within `radius`, as one sentence."""
    labels = certificate.labels(radius)
    important, unimportant = int((labels > 0).sum()), int((labels < 0).sum())
    return (
        f"Within ℓ2 size {radius:g}, {important} regions are certified important, {unimportant} "
        f"certified unimportant, {len(labels) - important - unimportant} undecided."
    )


def size_in_grey_levels(radius: float, plan: Plan) -> str:
    """What an ℓ2 size means in grey levels: one value changed alone, all values changed alike."""
    alone, alike = 255 * radius, 255 * radius / plan.entries**0.5
    return (
        f"ℓ2 size {radius:g} is {alone:.3g} grey levels in one value of the picture, "
        f"or {alike:.2g} in all {plan.entries} at once."
    )


def summary(
    plan: Plan, question: Question, asked: Asked, certificate: Certificate, label: str
) -> list[str]:
    """The whole certificate in a few sentences, the answer to what was asked first."""
    kept, radius = answer(asked, certificate)
    lines = [claim(kept, radius, certificate.k, question.failure_probability)]
    if kept and not radius:
        best = certificate.curve[-1]
        lines.append(
            f"The most that is proven: at least {best.at_least} stay within {best.radius:g}."
            if best.radius
            else "More samples, larger noise or larger cells may prove something."
        )
    if asked.radius and not kept:
        lines.append(f"Nothing is proven beyond ℓ2 size {certificate.curve[-1].radius:g}.")
    lines.append(prediction(certificate, label))
    if radius:
        lines += [regions(certificate, radius), size_in_grey_levels(radius, plan)]
    return lines
