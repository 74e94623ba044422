"""Check a certificate document: `python -m certify.verify certificate.json --key maker.pub`.

Checks the signature first, where there is one and its public key is given, and recomputes every
claim from the evidence in the document with numpy, scipy and python-flint. Needs neither torch nor
the network nor the model. What it cannot see is whether the evidence came from the named network
and picture; whoever has both can draw it again from the key of the noise: `models.replay`.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from certify import wording
from certify.certificate import Certificate, budget_of, certify
from certify.document import KEY_SOURCES, dumps, statement
from certify.evidence import Evidence
from certify.plan import Plan
from certify.reading import Document, contents, parse
from certify.reading import document as read
from certify.signature import UNSIGNED, Envelope, envelope, is_envelope, keyid, public_key

DESCRIPTION = """\
Check a certificate document: recompute every claim in it from the evidence it carries.

Takes no number in the file on trust; that the evidence was drawn as the file says, it cannot see:
affidavit verify --replay can. Needs no network, no model and no graphics card. With --key, the
signature is checked before anything else is looked at, and a document without one does not hold.
Exit status: 0 all holds, 1 something does not, 2 a file cannot be read.

examples:
  python -m certify.verify out/certificate.json
  python -m certify.verify out/certificate.json --key maker.pub
"""
UNREAD = "Whether it is signed is not known."
HONEST = (
    "It rests on the evidence having been drawn as the document says, with a key that was not "
    "chosen for its luck. Whoever has picture and model can draw it again (affidavit verify "
    "--replay)."
)
CHOSEN_KEY = (
    "The noise key was chosen by whoever asked: the confidence holds only if they did not "
    "choose picture or key with knowledge of the other."
)


@dataclass(frozen=True)
class Check:
    """One thing looked at: what it is, whether it holds, and what was found."""

    name: str
    holds: bool
    found: str


@dataclass(frozen=True)
class Report:
    """All checks of a document, and what it says in words if they hold.

    signature: whether it is signed, by which key, and whether that was checked. document and
    certificate: what was read and what was recomputed from it, as far as it went.
    """

    checks: tuple[Check, ...]
    words: tuple[str, ...]
    signature: str
    document: Document | None = field(default=None, repr=False)
    certificate: Certificate | None = field(default=None, repr=False)

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return bool(self.checks) and all(check.holds for check in self.checks)


def verify(data: bytes, key: Ed25519PublicKey | None = None) -> Report:
    """Every check of the document in `data`. Never raises on a bad document: a check fails.

    With `key` the signature comes first, and nothing in an envelope is read before it holds.
    """
    try:
        outer = parse(data)
        sealed = envelope(outer) if is_envelope(outer) else None
    except ValueError as error:
        return Report((Check("format", False, str(error)),), (), UNREAD)
    state, checks = _signature(sealed, key), _signature_checks(sealed, key)
    if not all(check.holds for check in checks):
        return Report(checks, (), state)
    try:
        document = read(contents(sealed) if sealed else outer)
    except ValueError as error:
        return Report((*checks, Check("format", False, str(error))), (), state)
    checks += (Check("format", True, "every field is known and well formed"),)
    checks += (_split_check(document), *_evidence_checks(document))
    if not all(check.holds for check in checks):
        # What follows from evidence that is not as stated interests nobody, and costs.
        return Report(checks, (), state)
    try:
        certificate = certify(document.plan, document.evidence, document.question)
    except (ValueError, ArithmeticError) as error:
        return Report((*checks, Check("claims", False, str(error))), (), state)
    checks += (_claims_check(document, certificate),)
    words = tuple(_words(document, certificate))
    return Report(checks, words, state, document, certificate)


def _signature(sealed: Envelope | None, key: Ed25519PublicKey | None) -> str:
    """The state of the signature in words, for a document whose checks hold."""
    if sealed is None:
        return UNSIGNED
    if key is None:
        return (
            f"It names the signing key {sealed.keyid}, which was NOT checked: no public key was "
            "given, so nothing says who made the evidence."
        )
    return f"It is signed with the key {sealed.keyid}, and that was checked."


def _signature_checks(sealed: Envelope | None, key: Ed25519PublicKey | None) -> tuple[Check, ...]:
    if key is None:
        return ()
    if sealed is None:
        return (Check("signature", False, "there is none, but a key was given to check it with"),)
    if sealed.signed_by(key):
        return (Check("signature", True, f"made with key {sealed.keyid[:16]}…"),)
    found = "is not of these bytes"
    if sealed.keyid != keyid(key):
        found = f"names key {sealed.keyid}; the key given is {keyid(key)}"
    return (Check("signature", False, found),)


def _split_check(document: Document) -> Check:
    """Whether the failure probability was shared out as it always is, not as suited the votes."""
    ours = budget_of(document.plan, document.question, document.evidence.samples).split
    found = "shared out as always" if document.split == ours else f"is {document.split}, not {ours}"
    return Check("failure probability", document.split == ours, found)


def _evidence_checks(document: Document) -> Iterator[Check]:
    evidence, votes = document.evidence, document.plan.recipe.votes
    yield _digest_check(evidence.digest(), document.evidence_digest)
    if evidence.squares is not None:
        yield _points_check(document.plan, evidence, evidence.squares.tolist())
    elif evidence.votes is not None:
        yield _votes_check(evidence, votes)
    else:
        total, due = int(evidence.counts.sum()), votes * evidence.samples
        found = f"{total} votes in all, {due} due; single votes left out"
        yield Check("counts", total == due, found)


def _digest_check(ours: str, stated: str) -> Check:
    same = ours == stated
    found = f"SHA-256 {ours[:16]}…" if same else f"is {ours}, stated {stated}"
    return Check("evidence digest", same, found)


def _votes_check(evidence: Evidence, votes: int) -> Check:
    """Whether the counts are those of the single votes, and every sample has as many as is due."""
    counts, uneven = np.zeros(evidence.features, dtype=np.int64), 0
    for block in evidence.rows():
        counts += block.sum(axis=0, dtype=np.int64)
        uneven += int(np.count_nonzero(block.sum(axis=1, dtype=np.int64) != votes))
    wrong = int(np.count_nonzero(counts != evidence.counts))
    found = f"{evidence.samples} samples of {votes} votes, recounted"
    if wrong or uneven:
        found = f"{wrong} counts differ from the votes, {uneven} samples have a wrong number"
    return Check("counts", not wrong and not uneven, found)


def _points_check(plan: Plan, evidence: Evidence, squares: list[int]) -> Check:
    """Whether every sample can have given out all its points; single points are not kept."""
    given = plan.points.tolist()
    sums = sum(evidence.counts.tolist()), sum(squares)
    due = tuple(evidence.samples * sum(p**power for p in given) for power in (1, 2))
    found = f"{sums[0]} points in all, {due[0]} due; their squares {sums[1]}, {due[1]} due"
    return Check("points", sums == due, found)


def _claims_check(document: Document, certificate: Certificate) -> Check:
    follows, stated = statement(certificate), document.stated
    # As canonical JSON: to Python true is 1.
    different = sorted(name for name in follows if not _same(follows[name], stated[name]))
    found = f"{len(certificate.curve)} radii and all else follow from the evidence"
    if different:
        found = f"{', '.join(different)} do not follow from the evidence"
    return Check("claims", not different, found)


def _same(ours: object, stated: object) -> bool:
    try:
        return dumps(ours) == dumps(stated)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError):
        return False


def _words(document: Document, certificate: Certificate) -> list[str]:
    words = wording.summary(
        document.plan, document.question, document.asked, certificate, document.subject.label
    )
    if document.subject.key_source == KEY_SOURCES[1]:
        words.append(CHOSEN_KEY)
    words.append(HONEST)
    return words


def main(arguments: list[str] | None = None) -> int:
    """Run the verifier on a file and print its report; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m certify.verify",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("document", type=Path, help="the certificate document, a JSON file")
    parser.add_argument("--key", type=Path, help="the maker's public key, a PEM file")
    chosen = parser.parse_args(arguments)
    try:
        data = chosen.document.read_bytes()
        key = public_key(chosen.key.read_bytes()) if chosen.key else None
    except OSError as error:
        print(f"cannot read {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"cannot use {chosen.key}: {error}", file=sys.stderr)
        return 2
    report = verify(data, key)
    print(render(report, str(chosen.document)))
    return 0 if report.holds else 1


def render(report: Report, name: str) -> str:
    """The report as lines for a terminal, without the control characters a document may hold."""
    lines = [f"{'ok    ' if c.holds else 'FAILED'}  {c.name}: {c.found}" for c in report.checks]
    if report.holds:
        says = (*report.words, report.signature)
        lines += [f"{name} holds. It says:", *(f"  {line}" for line in says)]
    else:
        lines.append(f"{name} does NOT hold: rely on nothing in it.")
    return "\n".join(map(printable, lines))


def printable(text: str) -> str:
    """The text with a mark in place of every character that could do more than be read."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


if __name__ == "__main__":
    sys.exit(main())
