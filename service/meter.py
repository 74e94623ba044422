"""How far sampling is, what is proven there, and when it ends."""

import time
from collections.abc import Callable

from certify import stopping, wording
from certify.certificate import Certificate
from certify.certificate import certify as prove
from certify.evidence import Evidence
from certify.gathering import Gathering
from certify.plan import Plan
from certify.stopping import Ending
from service.orders import CertifyOrder
from service.proving import proving
from service.remaining import legs
from service.results import Progress, Spot

FIRST_PROOF, PROOF_TIMES = 64, 4


class Meter:
    """Says how far sampling is, and now and then what is proven there.

    `ending` is why sampling ends here; None while it is worth going on. Where it may stop early,
    proofs are made at the end of every leg; elsewhere, while `proofs` are wanted, whenever samples
    have doubled and at PROOF_TIMES − 1 places on the way: anytime bounds hold there too.
    """

    def __init__(self, plan: Plan, order: CertifyOrder, proofs: Callable[[], bool]) -> None:
        self.ending: Ending | None = None
        self._plan, self._order = plan, order
        self._began = time.monotonic()
        self._stops = legs(order) if order.asked.stop == "proven" else ()
        self._anytime = order.question.confidence == "anytime" and not self._stops
        self._wanted = proofs
        self._certificate: Certificate | None = None
        self._proven_at: int | None = None
        self._due = min(FIRST_PROOF, order.noise.samples / PROOF_TIMES)
        self._first: int | None = None
        self._began_drawing = 0.0
        self._told = 0

    def untold(self, evidence: Gathering) -> bool:
        """Whether nothing was said of this evidence yet: others drew it."""
        return self._told != evidence.samples

    async def progress(self, evidence: Gathering) -> Progress:
        """Where sampling stands with this evidence."""
        if self._is_due(evidence):
            await proving(self._prove, evidence.whole())
        self._told, total = evidence.samples, self._order.noise.samples
        seconds = time.monotonic() - self._began
        asked, proven = self._order.asked, self._certificate
        at_least, radius = wording.answer(asked, proven) if proven else (None, None)
        return Progress(
            samples=evidence.samples,
            total=total,
            seconds=round(seconds, 3),
            seconds_left=self._seconds_left(evidence.samples, seconds),
            at_least=at_least,
            radius=radius,
            proven=stopping.proves(asked, proven) if proven and self._is_claim else None,
            proven_samples=self._proven_at,
            curve=curve(proven) if proven else [],
        )

    @property
    def _is_claim(self) -> bool:
        return bool(self._order.asked.overlap and self._order.asked.radius)

    def _seconds_left(self, samples: int, seconds: float) -> float | None:
        """For all samples that are left, at the pace since the first part came."""
        if self._first is None:
            self._first, self._began_drawing = samples, seconds
            return None
        drawn, since = samples - self._first, seconds - self._began_drawing
        left = self._order.noise.samples - samples
        return round(left * since / drawn, 3) if drawn else None

    def _is_due(self, evidence: Gathering) -> bool:
        total, samples = self._order.noise.samples, evidence.samples
        # Bounds hold for the samples from the first on, so a gap has to close first.
        if evidence.ranges != ((0, samples),):
            return False
        if not self._anytime:
            return samples in self._stops
        due = self._due <= samples < total and self._wanted()
        if due:
            share = (samples * PROOF_TIMES // total + 1) * total / PROOF_TIMES
            self._due = min(2 * samples, share)
        return due

    def _prove(self, evidence: Evidence) -> None:
        plan, question, asked = self._plan, self._order.question, self._order.asked
        self._certificate = prove(plan, evidence, question)
        self._proven_at = evidence.samples
        self.ending = stopping.ending(plan, evidence, question, asked, self._certificate)


def curve(certificate: Certificate) -> list[Spot]:
    """The curve of a certificate: so many of the k stay within each radius."""
    k = certificate.k
    return [
        Spot(at_least=p.at_least, overlap=p.at_least / k, radius=p.radius, route=p.route)
        for p in certificate.curve
    ]
