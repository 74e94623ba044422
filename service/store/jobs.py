"""Jobs in the store: each function is one transaction over a connection.

Whoever works on a job holds a lease on it, and every write of theirs is refused once they hold it
no more: a process that was thought dead can spoil nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from service.jobs.states import FINAL, State, before
from service.store.tables import JOBS, PARTS, RESULTS


@dataclass(frozen=True)
class New:
    """What is fixed when a job is accepted.

    asked: the resolved order, and all else that the document will say of it, as JSON. digest:
    SHA-256 of the request, to tell a repeated one from another. samples: as many as may be drawn.
    """

    id: str
    owner: str
    created: float
    idempotency: str | None
    digest: str
    model: str
    samples: int
    asked: str
    picture: bytes


@dataclass(frozen=True)
class Head:
    """A job without its picture, evidence and results. progress, problem: JSON."""

    id: str
    owner: str
    state: State
    created: float
    updated: float
    expires: float | None
    digest: str
    model: str
    samples: int
    drawn: int
    progress: str | None
    problem: str | None


@dataclass(frozen=True)
class Kept:
    """A job to go on with: what was accepted, the class explained once that is known, and the
    evidence so far, as the messages it was written in."""

    new: New
    target: int | None
    parts: tuple[bytes, ...]


@dataclass(frozen=True)
class Point:
    """How far a job has got: samples drawn, class explained, progress as JSON."""

    drawn: int
    target: int | None
    progress: str | None


@dataclass(frozen=True)
class Part:
    """Evidence, as a message, from sample `first` on; in place of that from `grown` on, if any."""

    first: int
    body: bytes
    grown: int | None = None


HEAD = tuple(JOBS.c[name] for name in Head.__dataclass_fields__)
NEW = tuple(JOBS.c[name] for name in New.__dataclass_fields__)


def accept(connection: Connection, new: New, now: float) -> Head:
    """Keep a job; the one that has this owner's idempotency key already, if there is one."""
    found = _same(connection, new)
    if found is not None:
        return found
    own = insert(JOBS).values(**asdict(new), state="queued", updated=now, drawn=0)
    try:
        with connection.begin_nested():
            return _head(connection.execute(own.returning(*HEAD)).one())
    except IntegrityError:
        # Another server accepted the same request meanwhile.
        found = _same(connection, new)
        if found is None:
            raise
        return found


def _same(connection: Connection, new: New) -> Head | None:
    """The job that has this owner's idempotency key already."""
    if new.idempotency is None:
        return None
    same = JOBS.c.owner == new.owner, JOBS.c.idempotency == new.idempotency
    found = connection.execute(select(*HEAD).where(*same)).one_or_none()
    return None if found is None else _head(found)


def head(connection: Connection, job: str, owner: str) -> Head | None:
    """The owner's job of this id; None if there is none."""
    found = select(*HEAD).where(JOBS.c.id == job, JOBS.c.owner == owner)
    row = connection.execute(found).one_or_none()
    return None if row is None else _head(row)


def listing(connection: Connection, owner: str, most: int, after: Head | None) -> list[Head]:
    """The owner's newest jobs, `most` of them; with `after`, those next to it, older ones."""
    found = select(*HEAD).where(JOBS.c.owner == owner).limit(most)
    found = found.order_by(JOBS.c.created.desc(), JOBS.c.id.desc())
    if after is not None:
        found = found.where(tuple_(JOBS.c.created, JOBS.c.id) < tuple_(after.created, after.id))
    return [_head(row) for row in connection.execute(found)]


def claim(connection: Connection, holder: str, now: float, until: float, most: int) -> list[str]:
    """Take up to `most` jobs that nobody works on, oldest first; their ids."""
    waiting = select(JOBS.c.id).where(_free(now)).order_by(JOBS.c.created, JOBS.c.id).limit(most)
    candidates = connection.execute(waiting).scalars().all()
    return [job for job in candidates if take(connection, job, holder, now, until)]


def take(connection: Connection, job: str, holder: str, now: float, until: float) -> bool:
    """Take this job if nobody works on it; whether it was taken."""
    return _change(connection, job, "running", _free(now), holder=holder, lease=until, updated=now)


def load(connection: Connection, job: str) -> Kept:
    """All that is needed to go on with a job. Raises LookupError if there is no such job."""
    found = connection.execute(select(*NEW, JOBS.c.target).where(JOBS.c.id == job)).one_or_none()
    if found is None:
        raise LookupError(f"job {job} is not in the store")
    *own, target = found
    parts = select(PARTS.c.body).where(PARTS.c.job == job).order_by(PARTS.c.first)
    return Kept(New(*own), target, tuple(connection.execute(parts).scalars()))


def checkpoint(
    connection: Connection, job: str, holder: str, point: Point, part: Part, now: float
) -> bool:
    """Add evidence, and say how far that is; whether the job is still held."""
    held = _write(connection, job, _held(holder), updated=now, **asdict(point))
    if held:
        # Whoever was not told that a part was saved saves it again.
        old = PARTS.c.first.in_([part.first, part.grown or part.first])
        connection.execute(delete(PARTS).where(PARTS.c.job == job, old))
        connection.execute(insert(PARTS).values(job=job, first=part.first, body=part.body))
    return held


def begin_anew(connection: Connection, job: str, holder: str, asked: str) -> bool:
    """Drop all evidence of a job, which from now on is this; whether it is still held."""
    held = _write(connection, job, _held(holder), asked=asked, drawn=0, target=None, progress=None)
    if held:
        connection.execute(delete(PARTS).where(PARTS.c.job == job))
    return held


def renew(
    connection: Connection, holder: str, names: Sequence[str], until: float
) -> frozenset[str]:
    """Prolong this holder's leases of these jobs; those that it still holds."""
    mine = update(JOBS).where(_held(holder), JOBS.c.id.in_(names)).values(lease=until)
    return frozenset(connection.execute(mine.returning(JOBS.c.id)).scalars())


def release(connection: Connection, job: str, holder: str, now: float) -> bool:
    """Leave a job to whoever comes next; whether it was still held."""
    return _change(connection, job, "queued", _held(holder), holder=None, lease=None, updated=now)


def finish(
    connection: Connection,
    job: str,
    holder: str,
    point: Point,
    results: Mapping[str, bytes],
    now: float,
    expires: float,
) -> bool:
    """The job is done and these are its results by content type; whether it was still held."""
    done = _end(connection, job, "done", _held(holder), now, expires)
    if done:
        _write(connection, job, JOBS.c.state == "done", **asdict(point))
        rows = [{"job": job, "kind": kind, "body": body} for kind, body in results.items()]
        connection.execute(insert(RESULTS), rows)
    return done


def fail(
    connection: Connection, job: str, holder: str, problem: str, now: float, expires: float
) -> bool:
    """The job came to nothing, for this reason; whether it was still held."""
    return _end(connection, job, "failed", _held(holder), now, expires, problem=problem)


def cancel(connection: Connection, job: str, owner: str, now: float, expires: float) -> bool:
    """Nobody wants the owner's job any more; whether it was not over yet."""
    return _end(connection, job, "cancelled", JOBS.c.owner == owner, now, expires)


def result(connection: Connection, job: str, kind: str) -> bytes | None:
    """The result of a job in this content type; None if there is none."""
    found = select(RESULTS.c.body).where(RESULTS.c.job == job, RESULTS.c.kind == kind)
    return connection.execute(found).scalar_one_or_none()


def purge(connection: Connection, now: float) -> int:
    """Drop jobs whose time is over, with their results; how many."""
    return connection.execute(delete(JOBS).where(JOBS.c.expires < now)).rowcount


def backlog(connection: Connection) -> int:
    """Samples still to be drawn for all jobs that are not over."""
    left = select(func.coalesce(func.sum(JOBS.c.samples - JOBS.c.drawn), 0))
    return int(connection.execute(left.where(JOBS.c.state.not_in(FINAL))).scalar_one())


def _end(
    connection: Connection,
    job: str,
    state: State,
    condition: ColumnElement[bool],
    now: float,
    expires: float,
    problem: str | None = None,
) -> bool:
    """A final state: evidence and picture are dropped, the rest stays until it expires."""
    ended = _change(
        connection,
        job,
        state,
        condition,
        updated=now,
        expires=expires,
        problem=problem,
        picture=None,
        holder=None,
        lease=None,
    )
    if ended:
        connection.execute(delete(PARTS).where(PARTS.c.job == job))
    return ended


def _change(
    connection: Connection,
    job: str,
    state: State,
    condition: ColumnElement[bool],
    **values: object,
) -> bool:
    """Into this state from one of those it may come from; whether that was so."""
    allowed = and_(JOBS.c.state.in_(before(state)), condition)
    return _write(connection, job, allowed, state=state, **values)


def _write(
    connection: Connection, job: str, condition: ColumnElement[bool], **values: object
) -> bool:
    written = update(JOBS).where(JOBS.c.id == job, condition).values(**values)
    return connection.execute(written).rowcount == 1


def _held(holder: str) -> ColumnElement[bool]:
    return and_(JOBS.c.state == "running", JOBS.c.holder == holder)


def _free(now: float) -> ColumnElement[bool]:
    orphaned = and_(JOBS.c.state == "running", JOBS.c.lease < now)
    return or_(JOBS.c.state == "queued", orphaned)


def _head(row: Row[Any]) -> Head:
    return Head(*tuple(row))
