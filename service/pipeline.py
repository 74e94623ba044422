"""The main path: a picture and an order in, a map or a certificate out.

decode → fit → look → plan → draw parts → merge → certify → compose. (That the order can be met at
all was settled with the order.) The server and the offline command line both run exactly this; they
differ in the pool alone.
"""

import hashlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from certify import document
from certify.certificate import Certificate
from certify.certificate import certify as prove
from certify.evidence import Evidence
from certify.gathering import Gathering
from certify.plan import Plan
from certify.stopping import Ending
from models import images
from models.registry import Card
from service.decoys import dancing
from service.decoys.results import DecoyProgress
from service.meter import Meter
from service.orders import CertifyOrder, ExplainOrder
from service.pool.pools import Look, Pool
from service.proving import proving
from service.remaining import gaps, legs_left
from service.results import Progress
from service.rules.base_maps import DEFAULT

DECODER = f"pillow {version('pillow')}"
SOFTWARE = {
    name: version(name) for name in ("affidavit", "numpy", "scipy", "python-flint", "torch")
}


class Abandoned(Exception):
    """Nobody waits for the answer."""


@dataclass(frozen=True)
class Issue:
    """What a document says of its making that is settled when the order is accepted: its name, the
    time in UTC, what decoded the picture."""

    identifier: str
    issued: str
    decoder: str = DECODER

    @classmethod
    def fresh(cls, name: uuid.UUID | None = None) -> "Issue":
        """Here and now; `name`, by default a random one, is the document's."""
        issued = datetime.now(UTC).isoformat(timespec="seconds")
        return cls((name or uuid.uuid4()).urn, issued)


@dataclass(frozen=True, eq=False)
class Subject:
    """The picture as the network sees it, uint8 (size, size, 3); SHA-256 of it and of its file."""

    picture: NDArray[np.uint8]
    digest: str
    file: str


@dataclass(frozen=True, eq=False)
class Explained:
    """A finished map: `scores` is float64 (rows, columns), none negative. danced: its decoys, if
    it was made of any."""

    order: ExplainOrder
    subject: Subject
    look: Look
    scores: NDArray[np.float64]
    danced: dancing.Range | None = None


@dataclass(frozen=True, eq=False)
class Certified:
    """A finished certificate with everything it was made from, and its document.

    ending: why sampling ended, if it was to stop early.
    """

    order: CertifyOrder
    subject: Subject
    look: Look
    plan: Plan
    evidence: Evidence
    certificate: Certificate
    ending: Ending | None
    document: dict[str, Any]


Steps = AsyncGenerator[Progress | Certified, None]
ExplainSteps = AsyncGenerator[DecoyProgress | Explained, None]
Keep = Callable[[Plan, Evidence, Gathering], Awaitable[None]]


async def forgetful(plan: Plan, part: Evidence, evidence: Gathering) -> None:
    """Keeps nothing."""


@dataclass(frozen=True, eq=False)
class Notes:
    """What lets work that was broken off go on: `keep` gets every part as it comes, with the plan
    and all evidence so far; `evidence` is what was kept before."""

    issue: Issue
    evidence: Evidence | None = None
    keep: Keep = forgetful


def receive(data: bytes, card: Card, max_pixels: int) -> Subject:
    """The picture in a file, fitted to the model. Raises BadImage."""
    picture = images.read(data, card, max_pixels=max_pixels)
    return Subject(picture, images.digest(picture), hashlib.sha256(data).hexdigest())


async def explain(pool: Pool, order: ExplainOrder, subject: Subject) -> Explained:
    """The map that was ordered."""
    if order.dance is not None:
        async with aclosing(explain_steps(pool, order, subject)) as steps:
            return [step async for step in steps if isinstance(step, Explained)][-1]
    plain = DEFAULT if order.noise else order.attribution
    look = await pool.look(order.card.name, subject.picture, order.target, plain, order.precision)
    noise, rows = order.noise, order.card.size // order.cell
    if noise is None:
        return Explained(order, subject, look, _celled(order, look.map))
    plan = noise.plan(order.card, subject.digest, look.target)
    if order.method == "smoothgrad":
        scores = await pool.average(plan, subject.picture, 0, noise.samples) / noise.samples
    else:
        evidence = await pool.draw(plan, subject.picture, 0, noise.samples)
        scores = plan.shares(evidence.counts, noise.samples)
    return Explained(order, subject, look, scores.reshape(rows, rows))


async def explain_steps(pool: Pool, order: ExplainOrder, subject: Subject) -> ExplainSteps:
    """Progress where a map is made of decoys, then the map that was ordered."""
    asked, card = order.dance, order.card
    if asked is None:
        yield await explain(pool, order, subject)
        return
    look = await pool.look(card.name, subject.picture, order.target)
    about = dancing.Subject(card, subject.picture, look.target, order.attribution)
    async with aclosing(dancing.dance(pool, asked, about)) as steps:
        async for step in steps:
            if isinstance(step, dancing.Range):
                yield Explained(order, subject, look, _celled(order, step.map), step)
            else:
                yield step


def _celled(order: ExplainOrder, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean of a map over each cell; what is not finite becomes 0."""
    rows, cell = order.card.size // order.cell, order.cell
    scores = pixels.astype(np.float64).reshape(rows, cell, rows, cell).mean((1, 3))
    return np.asarray(np.nan_to_num(scores, nan=0, posinf=0, neginf=0))


async def certify(
    pool: Pool,
    order: CertifyOrder,
    subject: Subject,
    *,
    proofs: bool | Callable[[], bool],
    notes: Notes | None = None,
) -> Steps:
    """Progress after every part, then the certificate.

    With `proofs`, or while they say so, some progress tells what is already proven: anytime bounds
    hold on the way too.
    Where sampling may stop early it does so between legs, so that the same request always ends at
    the same sample, and nothing that was drawn is left out. With the evidence of `notes` it goes on
    from there, to the same bytes.
    """
    notes = notes or Notes(Issue.fresh())
    precision = order.noise.recipe.precision
    look = await pool.look(order.card.name, subject.picture, order.target, DEFAULT, precision)
    plan = order.noise.plan(order.card, subject.digest, look.target)
    evidence = Gathering(notes.evidence or Evidence.empty(plan.features, plan.votes_only))
    meter = Meter(plan, order, proofs if callable(proofs) else lambda: proofs)
    for stop in legs_left(order, evidence):
        for start, end in gaps(evidence, stop):
            work = pool.draw_parts(plan, subject.picture, start, end)
            async with aclosing(work) as parts:
                async for part in parts:
                    evidence.add(part)
                    await notes.keep(plan, part, evidence)
                    yield await meter.progress(evidence)
        if meter.untold(evidence):
            yield await meter.progress(evidence)
        if meter.ending:
            break
    whole = evidence.whole()
    proven, made = await proving(_proven, order, subject, plan, whole, notes.issue)
    yield Certified(order, subject, look, plan, whole, proven, meter.ending, made)


async def last(steps: Steps, abandoned: Callable[[], Awaitable[bool]]) -> Certified:
    """The certificate, when its progress interests nobody.

    Stops drawing and raises Abandoned once nobody waits for the certificate any more.
    """
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, Certified):
                return step
            if await abandoned():
                break
    raise Abandoned


def _proven(
    order: CertifyOrder, subject: Subject, plan: Plan, evidence: Evidence, issue: Issue
) -> tuple[Certificate, dict[str, Any]]:
    """The certificate and its document, in one turn among all who prove."""
    certificate = prove(plan, evidence, order.question)
    made = document.compose(
        plan,
        order.question,
        evidence,
        certificate,
        subject=document.Subject(
            file=subject.file,
            decoder=issue.decoder,
            label=order.card.classes[plan.target],
            key_source="service" if order.noise.fresh else "request",
        ),
        asked=order.asked,
        software=SOFTWARE,
        issued=issue.issued,
        identifier=issue.identifier,
    )
    return certificate, made
