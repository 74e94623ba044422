"""Check a certificate document: `python -m certify.verify certificate.json`.

Recomputes every claim from the evidence in the document with numpy, scipy and python-flint. Needs
neither torch nor the network nor the model. What it cannot see is whether the evidence came from
the named network and picture; whoever has both can draw it again from the key.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from certify import wording
from certify.certificate import Certificate, certify
from certify.document import KEY_SOURCES, statement
from certify.reading import Document, loads

DESCRIPTION = """\
Check a certificate document: recompute every claim in it from the evidence it carries.

Trusts nothing in the file. Needs no network, no model and no graphics card.
Exit status: 0 all holds, 1 something does not, 2 the file cannot be read.

example:
  python -m certify.verify out/certificate.json
"""


@dataclass(frozen=True)
class Check:
    """One thing looked at: what it is, whether it holds, and what was found."""

    name: str
    holds: bool
    found: str


@dataclass(frozen=True)
class Report:
    """All checks of a document, and what it says in words if they hold."""

    checks: tuple[Check, ...]
    words: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return bool(self.checks) and all(check.holds for check in self.checks)


def verify(data: bytes) -> Report:
    """Every check of the document in `data`. Never raises on a bad document: a check fails."""
    try:
        document = loads(data)
    except ValueError as error:
        return Report((Check("format", False, str(error)),), ())
    checks = [Check("format", True, "every field is known and well formed")]
    checks += _evidence_checks(document)
    try:
        certificate = certify(
            document.plan, document.evidence, document.question, split=document.split
        )
    except (ValueError, ArithmeticError) as error:
        return Report((*checks, Check("claims", False, str(error))), ())
    checks.append(_claims_check(document, certificate))
    return Report(tuple(checks), tuple(_words(document, certificate)))


def _evidence_checks(document: Document) -> Iterator[Check]:
    evidence, found = document.evidence, document.evidence.digest()
    same = found == document.evidence_digest
    yield Check(
        "evidence digest",
        same,
        f"SHA-256 {found[:16]}…" if same else f"is {found}, stated {document.evidence_digest}",
    )
    votes = document.plan.recipe.votes
    if evidence.votes is None:
        total, due = int(evidence.counts.sum()), votes * evidence.samples
        yield Check(
            "counts", total == due, f"{total} votes in all, {due} due; single votes left out"
        )
        return
    bits = np.unpackbits(evidence.votes, axis=1, count=evidence.features)
    wrong = int(np.count_nonzero(bits.sum(axis=0, dtype=np.int64) != evidence.counts))
    uneven = int(np.count_nonzero(bits.sum(axis=1, dtype=np.int64) != votes))
    found = f"{evidence.samples} samples of {votes} votes, recounted"
    if wrong or uneven:
        found = f"{wrong} counts differ from the votes, {uneven} samples have a wrong number"
    yield Check("counts", not wrong and not uneven, found)


def _claims_check(document: Document, certificate: Certificate) -> Check:
    follows, stated = statement(certificate), document.stated
    different = sorted(name for name in follows if follows[name] != stated[name])
    found = f"{len(certificate.curve)} radii and all else follow from the evidence"
    if different:
        found = f"{', '.join(different)} do not follow from the evidence"
    return Check("claims", not different, found)


def _words(document: Document, certificate: Certificate) -> list[str]:
    words = wording.summary(
        document.plan, document.question, document.asked, certificate, document.subject.label
    )
    if document.subject.key_source == KEY_SOURCES[1]:
        words.append(
            "The noise key was chosen by whoever asked: the confidence holds only if they did not "
            "choose picture or key with knowledge of the other."
        )
    return words


def main(arguments: list[str] | None = None) -> int:
    """Run the verifier on a file and print its report; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m certify.verify",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("document", type=Path, help="the certificate document, a JSON file")
    path = parser.parse_args(arguments).document
    try:
        data = path.read_bytes()
    except OSError as error:
        print(f"cannot read {path}: {error.strerror}", file=sys.stderr)
        return 2
    report = verify(data)
    print(render(report, str(path)))
    return 0 if report.holds else 1


def render(report: Report, name: str) -> str:
    """The report as lines for a terminal."""
    lines = [f"{'ok    ' if c.holds else 'FAILED'}  {c.name}: {c.found}" for c in report.checks]
    if not report.holds:
        return "\n".join([*lines, f"{name} does NOT hold: rely on nothing in it."])
    return "\n".join([*lines, f"{name} holds. It says:", *(f"  {line}" for line in report.words)])


if __name__ == "__main__":
    sys.exit(main())
