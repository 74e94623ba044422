"""Steps of bench.scale that prove from evidence and verify: from counts to a document that holds.

They take and return what those of `bench.scale_evidence` do. `verified` reads what `document` left.
"""

from pathlib import Path
from typing import Any

import numpy as np

from bench.clock import Clock, timed
from bench.parts import parts
from bench.scale_evidence import Done, evidence_of
from bench.synthetic import Voters
from certify.certificate import certify
from certify.document import Asked, Subject, compose, dumps
from certify.plan import Question
from certify.verify import verify

# As the page calls them.
NAMES = {"per_feature": "per feature", "renyi": "Rényi"}


def certify_anytime(voters: Voters, samples: int, folder: Path) -> Done:
    """The certificate, with bounds that hold at every number of samples."""
    evidence, question = evidence_of(voters, samples, folder), _question(voters, samples)
    return timed(lambda: certify(voters.plan, evidence, question))


def certify_fixed(voters: Voters, samples: int, folder: Path) -> Done:
    """The certificate, with bounds at this number of samples."""
    evidence = evidence_of(voters, samples, folder)
    question = _question(voters, samples, "fixed")
    return timed(lambda: certify(voters.plan, evidence, question))


def profile(voters: Voters, samples: int, folder: Path) -> Done:
    """The parts of certify_anytime."""
    evidence = evidence_of(voters, samples, folder)
    spent = parts(voters.plan, evidence, _question(voters, samples)).rounded()
    if evidence.votes is None:
        del spent["pairs counted"]
    named = {NAMES.get(part, part): seconds for part, seconds in spent.items()}
    return {"parts": named, "different_counts": len(np.unique(evidence.counts))}


def document(voters: Voters, samples: int, folder: Path) -> Done:
    """The document's bytes, from a certificate that is there."""
    evidence, question = evidence_of(voters, samples, folder), _question(voters, samples)
    certificate = certify(voters.plan, evidence, question)
    subject = Subject("0" * 64, "none", "synthetic", "request")
    made: dict[str, Any] = dict(subject=subject, asked=Asked(0.5, 0.05), software={})
    made |= dict(issued="2026-01-01T00:00:00+00:00", identifier="urn:uuid:0")
    clock = Clock()
    with clock():
        data = dumps(compose(voters.plan, question, evidence, certificate, **made))
    (folder / "document.json").write_bytes(data)
    half = certificate.curve[certificate.k // 2].routes
    return {**clock.rounded(), "bytes": len(data), "radii_of_half": dict(half)}


def verified(voters: Voters, samples: int, folder: Path) -> Done:
    """Every check of the document. RuntimeError if one fails."""
    data = (folder / "document.json").read_bytes()
    clock = Clock()
    with clock():
        report = verify(data)
    if not report.holds:
        raise RuntimeError(f"the document does not hold: {report.checks}")
    return clock.rounded()


def _question(voters: Voters, samples: int, confidence: str = "anytime") -> Question:
    return Question(voters.plan.recipe.votes, samples, 0.001, confidence, "2")
