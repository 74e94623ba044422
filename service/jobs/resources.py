"""What callers see of a job."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from service.jobs.running import Running
from service.problems import Problem
from service.results import Progress
from service.schemas import Wire
from service.store.jobs import Head

ADDRESS = "/v1/jobs"


class Job(Wire):
    """A certificate in the making, or made."""

    id: str = Field(description="the document's identifier is urn:uuid: and this")
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    model: str
    created: str = Field(description="when it was accepted, RFC 3339")
    updated: str = Field(description="when the store last heard of it, RFC 3339")
    expires: str | None = Field(description="until when it is kept; null: not over yet")
    samples: int = Field(description="samples that may be drawn at most")
    drawn: int = Field(description="samples drawn so far")
    progress: Progress | None = Field(
        description="with the certificate proven so far; null: nothing is drawn yet"
    )
    problem: Problem | None = Field(description="why it failed; null: it did not")
    events: str = Field(description="where its progress can be watched")
    certificate: str | None = Field(description="where its certificate is; null: not made yet")


class JobList(Wire):
    """One page of the caller's jobs, newest first."""

    jobs: list[Job]
    next: str | None = Field(description="send as `after` for the next page; null: the last page")


def address(job: str) -> str:
    """Where a job is."""
    return f"{ADDRESS}/{job}"


def job(head: Head, running: Running | None = None) -> Job:
    """The job, with the newest progress if it is at work in this process."""
    told = Progress.model_validate_json(head.progress) if head.progress else None
    drawn = head.drawn
    if running is not None and head.state == "running" and (now := running.look()) is not None:
        told, drawn = now, now.samples
    problem = Problem.model_validate_json(head.problem) if head.problem else None
    return Job(
        id=head.id,
        state=head.state,
        model=head.model,
        created=_time(head.created),
        updated=_time(head.updated),
        expires=None if head.expires is None else _time(head.expires),
        samples=head.samples,
        drawn=drawn,
        progress=told,
        problem=problem,
        events=f"{address(head.id)}/events",
        certificate=f"{address(head.id)}/certificate" if head.state == "done" else None,
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
