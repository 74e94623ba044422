"""Certificates in plain words, so that nobody has to read the numbers to know what they say."""

from decimal import Decimal

from certify.certificate import Certificate
from certify.document import Asked
from certify.plan import Plan, Question
from certify.stopping import Ending, proves, wanted

# Below this a percentage is a row of nines that nobody counts.
_FEW_NINES = Decimal("1e-9")


def exactly(number: float) -> str:
    """The number in full, never rounded: what is said must not exceed what is proven."""
    exact = Decimal(repr(number))
    plain = not exact or Decimal("1e-7") <= abs(exact) < Decimal("1e7")
    return format(exact.normalize(), "f") if plain else repr(number)


def confidence(failure_probability: float) -> str:
    """1 − failure_probability, exactly: 0.001 gives "99.9 %", 1e-12 gives "1 − 1e-12"."""
    failure = Decimal(repr(failure_probability))
    if failure < _FEW_NINES:
        return f"1 − {failure_probability!r}"
    return f"{format((100 * (1 - failure)).normalize(), 'f')} %"


def norm_sign(norm: str) -> str:
    """The norm as it is written: ℓ2, ℓ∞."""
    return f"ℓ{'∞' if norm == 'inf' else norm}"


def size(radius: float, norm: str) -> str:
    """A size of change in its norm: "ℓ2 size 0.05"."""
    return f"{norm_sign(norm)} size {exactly(radius)}"


def named(target: int, label: str) -> str:
    """The class by its number, and by the issuer's name for it, which nothing proves."""
    return f"class {target} ({label})"


def map_means(plan: Plan) -> str:
    """What a number of the smoothed map says, as the beginning of a sentence."""
    if plan.votes_only:
        return (
            f"How often each region is among the {plan.recipe.votes} most important of a noisy "
            "picture"
        )
    return f"The mean of each region's {plan.recipe.score} points for its rank in a noisy picture"


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


def _sentence(start: str) -> str:
    return start[:1].upper() + start[1:]


def claim(kept: int, radius: float, k: int, failure_probability: float, norm: str = "2") -> str:
    """The claim as one sentence; an abstention says that nothing is proven."""
    if not kept or not radius:
        return (
            f"Nothing is proven about how many of the {k} most important regions stay"
            f"{f' under changes of {size(radius, norm)}' if radius else f', for {kept} or more'}."
        )
    return (
        f"At least {kept} of the {k} most important regions stay the most important under any "
        f"change of {size(radius, norm)}; confidence {confidence(failure_probability)}."
    )


def joint(
    kept: int, radius: float, k: int, label: str, failure_probability: float, norm: str = "2"
) -> str:
    """The claim about prediction and explanation at once, as one sentence."""
    return (
        f"Under this noise the network keeps saying {label} and at least {kept} of the {k} most "
        f"important regions stay the most important, both under any change of "
        f"{size(radius, norm)}; confidence {confidence(failure_probability)} for both together."
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
        most += f", the number asked for within {exactly(ending.could_radius)}"
    return (
        f"Sampling stopped after {drawn} samples: the most favourable votes in the remaining "
        f"{budget - drawn} would not prove the claim; they would prove {most}."
    )


def prediction(certificate: Certificate, label: str, norm: str = "2") -> str:
    """What is proven about the class, as one sentence."""
    proven = certificate.prediction
    if proven.reason:
        return f"{_sentence(label)} is not certified: {proven.reason}."
    return (
        f"Under this noise the network keeps saying {label} under any change of "
        f"{size(proven.radius, norm)}."
    )


def unproven(asked: Asked, certificate: Certificate, norm: str = "2") -> str:
    """That a claim of overlap and radius is not proven, and how far the overlap goes."""
    number = wanted(asked, certificate)
    reached = certificate.radius_for(number)
    how_far = exactly(reached) if reached else "no radius that is proven"
    return (
        f"Asked for at least {number} of {certificate.k} within {size(asked.radius, norm)}: not "
        f"proven; {number} stay within {how_far}."
    )


def regions(certificate: Certificate, radius: float, norm: str = "2") -> str:
    """How many regions keep their majority label within `radius`, as one sentence."""
    labels = certificate.labels(radius)
    important, unimportant = int((labels > 0).sum()), int((labels < 0).sum())
    return (
        f"Within {size(radius, norm)}, {important} regions are certified important, {unimportant} "
        f"certified unimportant, {len(labels) - important - unimportant} undecided."
    )


def size_in_grey_levels(radius: float, plan: Plan) -> str:
    """What an ℓ2 size means in grey levels: one value changed alone, all values changed alike."""
    alone, alike = 255 * radius, 255 * radius / plan.entries**0.5
    return (
        f"ℓ2 size {exactly(radius)} is about {alone:.3g} grey levels in one value of the picture, "
        f"or {alike:.2g} in all {plan.entries} at once."
    )


def summary(
    plan: Plan, question: Question, asked: Asked, certificate: Certificate, label: str
) -> list[str]:
    """The whole certificate in a few sentences.

    First class and regions in one claim where both are proven, then the answer to what was asked.
    """
    k, failure, norm = certificate.k, question.failure_probability, question.norm
    named_class = named(plan.target, label)
    kept, radius = answer(asked, certificate)
    lines = [claim(kept, radius, k, failure, norm)]
    if both := together(asked, certificate):
        lines.insert(0, joint(*both, k, named_class, failure, norm))
    lines += _shortfall(asked, certificate, norm)
    lines.append(prediction(certificate, named_class, norm))
    if radius and plan.votes_only:
        lines.append(regions(certificate, radius, norm))
    return lines + _conditions(plan, question, radius)


def _shortfall(asked: Asked, certificate: Certificate, norm: str) -> list[str]:
    """What is missing to what was asked, and what is proven instead."""
    kept, radius = answer(asked, certificate)
    best, lines = certificate.curve[-1], []
    if kept and not radius:
        lines.append(
            f"The most that is proven: at least {best.at_least} stay within {exactly(best.radius)}."
            if best.radius
            else "More samples, larger noise or larger cells may prove something."
        )
    if asked.overlap and asked.radius and not proves(asked, certificate):
        lines.append(unproven(asked, certificate, norm))
    if asked.radius and not kept:
        lines.append(f"Nothing is proven beyond {size(best.radius, norm)}.")
    return lines


def _conditions(plan: Plan, question: Question, radius: float) -> list[str]:
    """What the claims rest on, and what a size means."""
    lines = []
    if question.confidence == "fixed":
        lines.append(
            f"Holds only if the number of samples, {question.samples}, was chosen before any "
            "was drawn."
        )
    if not plan.votes_only:
        lines.append(
            f"Regions get {plan.recipe.score} points for their rank in a noisy picture; no single "
            "region is labelled, which only votes do."
        )
    if plan.recipe.lanes == 1:
        lines.append("Strict: the network saw each noisy picture alone.")
    if plan.recipe.precision != "float32":
        lines.append(
            f"The network computed in {plan.recipe.precision}; all that is said is about it as it "
            "computes there, which is not what it computes in float32."
        )
    if radius and question.norm == "2":
        lines.append(size_in_grey_levels(radius, plan))
    return lines
