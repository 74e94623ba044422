"""A certificate now or later: the answer where it is there in time, else where the job is."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from service import answers
from service.context import Service
from service.drawing import scenes
from service.drawing.scenes import SCENE
from service.edge.attendance import Gone, attended
from service.edge.negotiation import EVENTS, JSON, PNG
from service.edge.preferences import Preferences
from service.jobs import events, resources
from service.jobs import record as records
from service.jobs.record import Record
from service.jobs.running import SetAside
from service.jobs.states import FINAL
from service.pipeline import Certified
from service.problems import MEDIA_TYPE, Problem, ProblemError, fault, refuse
from service.proving import proving
from service.store import jobs
from service.store.jobs import Head

LOOK_SECONDS = 0.5
HUNG_UP = 499


async def durable(
    service: Service, request: Request, record: Record, kind: str, wish: Preferences
) -> Response:
    """The answer to a caller who means to come back: the job is in the store before it begins."""
    head = await service.runner.accept(record)
    if head.id != record.id:
        service.admission.leave(request, record.order.noise)
    if head.id != record.id and head.digest != records.digest(record.order, record.subject):
        rule = "it names another request, which this server still keeps"
        advice = "send a fresh key with each new request"
        raise refuse("idempotency-mismatch", fault("Idempotency-Key", head.id, rule, advice))
    if kind == EVENTS and not wish.later:
        return events.streamed(service.store, service.runner, head.id, head.owner)
    seconds = wish.seconds(service.settings.longest_wait_seconds)
    try:
        await attended(request, _over(service, head), seconds)
    except Gone:
        return Response(status_code=HUNG_UP)
    except TimeoutError:
        return await later(service, head.id, head.owner, wish)
    made = await certificate(service, head.id, head.owner, JSON if kind == EVENTS else kind)
    made.headers.update({"Location": resources.address(head.id), **wish.applied})
    return made


async def attached(
    service: Service, request: Request, record: Record, kind: str, wish: Preferences
) -> Response:
    """The answer to a caller who waits: the work ends with the request, unless it takes longer than
    the request may; then it is a job."""
    running = service.runner.begin(record)
    seconds = wish.seconds(service.settings.longest_wait_seconds)
    try:
        with service.admission.held(record.order.noise):
            done = await attended(request, _outcome(running.outcome), seconds)
    except Gone:
        service.runner.drop(running)
        return Response(status_code=HUNG_UP)
    except TimeoutError:
        await service.runner.keep(running)
        if not running.outcome.done():
            return await later(service, record.id, record.owner, wish)
        done = await _outcome(running.outcome)
    except SetAside:
        return await later(service, record.id, record.owner, wish)
    except asyncio.CancelledError:
        service.runner.drop(running)
        raise
    body = await proving(answers.certificate, done, kind, service.signer)
    return Response(body, media_type=kind, headers=wish.applied)


async def later(service: Service, job: str, owner: str, wish: Preferences) -> Response:
    """202: the job, and where it is."""
    head = await found(service, job, owner)
    told = resources.job(head, service.runner.find(job)).model_dump_json()
    headers = {"Location": resources.address(job), **wish.applied}
    return Response(told, status_code=202, media_type=JSON, headers=headers)


async def certificate(service: Service, job: str, owner: str, kind: str) -> Response:
    """The certificate of the owner's job in this content type, or the problem of it."""
    head = await found(service, job, owner)
    if head.state == "failed" and head.problem is not None:
        problem = Problem.model_validate_json(head.problem)
        return Response(head.problem, status_code=problem.status, media_type=MEDIA_TYPE)
    kept = SCENE if kind == PNG else kind
    body = await service.store.do(jobs.result, job, kept) if head.state == "done" else None
    if body is None:
        raise _not_done(head, service.settings.retry_after_seconds)
    if kept == SCENE:
        body = await asyncio.to_thread(scenes.unpack(body).draw)
    return Response(body, media_type=kind)


async def found(service: Service, job: str, owner: str) -> Head:
    """The owner's job. Raises ProblemError unknown-job."""
    head = await service.store.do(jobs.head, job, owner)
    if head is None:
        rule = "no job of yours has this id; jobs that are over are kept for a while only"
        raise refuse("unknown-job", fault("id", job, rule, "see GET /v1/jobs"))
    return head


def _not_done(head: Head, retry_after: int) -> ProblemError:
    if head.state in FINAL:
        return ProblemError("job-not-done", f"the job was {head.state}; it has no certificate")
    detail = f"{head.drawn} of at most {head.samples} samples are drawn; the job is {head.state}"
    return ProblemError("job-not-done", detail, headers={"Retry-After": str(retry_after)})


async def _outcome(outcome: asyncio.Future[Certified]) -> Certified:
    """What it is; who stops waiting does not end it."""
    return await asyncio.shield(outcome)


async def _over(service: Service, head: Head) -> None:
    """Return when the job is over, or set aside by this process."""
    while True:
        running = service.runner.find(head.id)
        if running is not None:
            await asyncio.wait({running.outcome}, timeout=LOOK_SECONDS)
        now = await found(service, head.id, head.owner)
        if now.state in FINAL:
            return
        if service.runner.closed:
            raise TimeoutError
        if running is None:
            await service.runner.pause(LOOK_SECONDS)
