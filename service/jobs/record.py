"""A job as the pipeline knows it, and as the store keeps it.

Everything that decides the document is settled when the job is accepted and kept with it: the
resolved order with its key, the picture as the network sees it, the time, the identifier.
"""

import hashlib
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import numpy as np

from certify.document import Asked
from certify.evidence import Evidence
from certify.gathering import gathered
from certify.plan import Question
from models import registry
from models.registry import UnknownModel
from service.orders import CertifyOrder, Noise
from service.pipeline import SOFTWARE, Issue, Subject
from service.pool.messages import Drawn
from service.problems import ProblemError
from service.store.jobs import Kept, New, Part

CHANNELS = 3


@dataclass(frozen=True, eq=False)
class Record:
    """A job that was accepted. `software` is what it was accepted with, and what drew its
    evidence."""

    id: str
    owner: str
    created: float
    idempotency: str | None
    order: CertifyOrder
    subject: Subject
    issue: Issue
    software: dict[str, str]


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the store keeps of a Record beside its columns."""

    version: Literal[1]
    weights: str
    target: int | None
    noise: Noise
    question: Question
    asked: Asked
    pictures: bool
    image: str
    file: str
    issue: Issue
    software: dict[str, str]


def accepted(order: CertifyOrder, subject: Subject, owner: str, idempotency: str | None) -> Record:
    """A new job, with the identifier and time of its document."""
    name = uuid.uuid4()
    issue = Issue.fresh(name)
    return Record(name.hex, owner, time.time(), idempotency, order, subject, issue, SOFTWARE)


def write(record: Record) -> New:
    """The record for the store."""
    order, subject = record.order, record.subject
    written = Written(
        version=1,
        weights=order.card.weights,
        target=order.target,
        noise=order.noise,
        question=order.question,
        asked=order.asked,
        pictures=order.pictures,
        image=subject.digest,
        file=subject.file,
        issue=record.issue,
        software=record.software,
    )
    return New(
        id=record.id,
        owner=record.owner,
        created=record.created,
        idempotency=record.idempotency,
        digest=digest(order, subject),
        model=order.card.name,
        samples=order.noise.samples,
        asked=msgspec.json.encode(written).decode(),
        picture=subject.picture.tobytes(),
    )


def renewed(record: Record) -> Record:
    """The record for this version of the service, which is to begin anew."""
    return replace(record, software=SOFTWARE)


def digest(order: CertifyOrder, subject: Subject) -> str:
    """SHA-256 of what was asked: the same for a request that is sent again, as JSON or as a form.

    A key that was made here is no part of it: it is another one each time.
    """
    noise = replace(order.noise, key="") if order.noise.fresh else order.noise
    parts = (order.card.weights, order.target, noise, order.question, order.asked, order.pictures)
    return hashlib.sha256(msgspec.json.encode((*parts, subject.file))).hexdigest()


def read(kept: Kept) -> Record:
    """The record that the store kept. Raises ProblemError job-outdated."""
    new = kept.new
    try:
        written = msgspec.json.decode(new.asked, type=Written)
        card = registry.card(new.model)
    except (msgspec.DecodeError, UnknownModel, ValueError) as error:
        raise _outdated(f"the job is of another version of this server: {error}") from error
    if card.weights != written.weights:
        raise _outdated(f"{card.name} has other weights than when the job was accepted")
    pixels = np.frombuffer(new.picture, np.uint8).reshape(card.size, card.size, CHANNELS)
    target = written.target if kept.target is None else kept.target
    noise, question, asked = written.noise, written.question, written.asked
    order = CertifyOrder(card, target, noise, question, asked, written.pictures)
    subject = Subject(pixels, written.image, written.file)
    return Record(
        new.id,
        new.owner,
        new.created,
        new.idempotency,
        order,
        subject,
        written.issue,
        written.software,
    )


def _outdated(why: str) -> ProblemError:
    return ProblemError("job-outdated", f"{why}; send the request again")


def pack(part: Evidence, growing: Evidence | None = None) -> Part:
    """What to keep of a part of evidence, which holds one that was kept before if `growing`."""
    grown = None if growing is None else growing.ranges[0][0]
    return Part(part.ranges[0][0], msgspec.msgpack.encode(Drawn.of(part)), grown)


def is_full(part: Evidence) -> bool:
    """Whether what a part says of single samples outweighs its counts.

    Every part repeats the counts. Of parts that grow until they are full the store keeps at most
    twice what it would keep of all samples in one, however often they are saved.
    """
    votes = 0 if part.votes is None else part.votes.nbytes
    repeated = part.counts.nbytes * (1 if part.squares is None else 2)
    return part.predictions.nbytes + votes >= repeated


def unpack(parts: Sequence[bytes]) -> Evidence | None:
    """The evidence that was kept; None if none was."""
    opened = (msgspec.msgpack.decode(part, type=Drawn).evidence() for part in parts)
    first = next(opened, None)
    return None if first is None else gathered(first, opened)
