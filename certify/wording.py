"""Certificates in plain words, so that nobody has to read the numbers to know what they say."""

from certify.certificate import Certificate
from certify.document import Asked
from certify.exact import decimal
from certify.plan import Plan, Question
from certify.stopping import Ending, proves, wanted


def confidence(failure_probability: float) -> str:
    """1 − failure_probability as a percentage: 0.001 gives "99.9 %"."""
    return f"{float((1 - decimal(failure_probability)) * 100):.10g} %"


def answer(asked: Asked, certificate: Certificate) -> tuple[int, float]:
    """The point that answers what was asked: (at least so many of the reported stay, radius).

    An asked radius gives the number kept within it, 0 if none is proven, whether or not an overlap
    is asked too. An asked overlap alone gives the radius at which it holds, 0 if unproven. Neither
    asks for the larger half of the reported.
    """
    if asked.radius:
        return certificate.at_least_within(asked.radius), asked.radius
    kept = wanted(asked, certificate)
    return kept, certificate.radius_for(kept)


def together(asked: Asked, certificate: Certificate) -> tuple[int, float] | None:
    """What is proven of prediction and explanation at once: (at least so many stay, radius).

    The radius is the smaller of the answer's and the class's; None unless both are proven. Needs
    no failure probability of its own: all bounds of a certificate hold at once.
    """
    kept, radius = answer(asked, certificate)
    radius = min(radius, certificate.prediction.radius)
    kept = max(kept, certificate.at_least_within(radius)) if kept and radius else 0
    return (kept, radius) if kept else None


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


def joint(kept: int, radius: float, k: int, label: str, failure_probability: float) -> str:
    """The claim about prediction and explanation at once, as one sentence."""
    return (
        f"This class, {label}, and at least {kept} of these {k} regions, under any change of "
        f"ℓ2 size {radius:g}; confidence {confidence(failure_probability)} for both together."
    )


def ended(question: Question, certificate: Certificate, ending: Ending) -> str:
    """Why sampling ended where it did, as one sentence with its numbers."""
    drawn, budget = certificate.prediction.samples, question.samples
    if ending.reason == "proven":
        return f"Sampling stopped after {drawn} of at most {budget} samples: the claim is proven."
    if ending.reason == "spent":
        return f"All {budget} samples were drawn; the claim is not proven."
    most = f"{ending.could_keep} of {certificate.k} there" if ending.could_keep else "nothing there"
    if ending.could_radius:
        most += f", the number asked for within {ending.could_radius:g}"
    return (
        f"Sampling stopped after {drawn} samples: not even unanimous votes in the remaining "
        f"{budget - drawn} could prove the claim; at most they could prove {most}."
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


def unproven(asked: Asked, certificate: Certificate) -> str:
    """That a claim of overlap and radius is not proven, and how far the overlap goes."""
    number = wanted(asked, certificate)
    reached = certificate.radius_for(number)
    return (
        f"Asked for at least {number} of {certificate.k} within ℓ2 size {asked.radius:g}: not "
        f"proven; {number} stay within "
        f"{f'{reached:g}' if reached else 'no radius that is proven'}."
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
    """The whole certificate in a few sentences.

    First class and regions in one claim where both are proven, then the answer to what was asked.
    """
    kept, radius = answer(asked, certificate)
    lines = [claim(kept, radius, certificate.k, question.failure_probability)]
    if both := together(asked, certificate):
        lines.insert(0, joint(*both, certificate.k, label, question.failure_probability))
    if kept and not radius:
        best = certificate.curve[-1]
        lines.append(
            f"The most that is proven: at least {best.at_least} stay within {best.radius:g}."
            if best.radius
            else "More samples, larger noise or larger cells may prove something."
        )
    if asked.overlap and asked.radius and not proves(asked, certificate):
        lines.append(unproven(asked, certificate))
    if asked.radius and not kept:
        lines.append(f"Nothing is proven beyond ℓ2 size {certificate.curve[-1].radius:g}.")
    lines.append(prediction(certificate, label))
    if plan.recipe.lanes == 1:
        lines.append("Strict: the network saw each noisy picture alone.")
    if radius:
        lines += [regions(certificate, radius), size_in_grey_levels(radius, plan)]
    return lines
