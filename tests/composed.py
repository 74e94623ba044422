"""Documents about what tests prove; what in them proves nothing is fixed."""

from typing import Any

from certify.certificate import certify
from certify.document import Asked, Subject, compose
from certify.evidence import Evidence
from certify.plan import Plan, Question


def composed(
    plan: Plan,
    question: Question,
    evidence: Evidence,
    *,
    radius: float = 0.0,
    label: str = "six pixels",
    file: str = "f" * 64,
) -> dict[str, Any]:
    """The document of a certificate that was asked for at this radius."""
    return compose(
        plan,
        question,
        evidence,
        certify(plan, evidence, question),
        subject=Subject(file, decoder="none", label=label, key_source="service"),
        asked=Asked(overlap=0.0, radius=radius),
        software={"affidavit": "0"},
        issued="2026-01-01T00:00:00Z",
        identifier="test",
    )
