"""The HTTP routes of jobs: which there are, how far they have got, their certificates, an end."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service import openapi, results
from service.context import owner, service
from service.edge.negotiation import EVENTS, JSON, NPY, PNG, choose
from service.jobs import asking, resources
from service.jobs.events import END, streamed
from service.jobs.resources import Job, JobList
from service.openapi import answers as declared
from service.problems import fault as fault_of
from service.problems import refuse
from service.store import jobs

router = APIRouter(default_response_class=Response, tags=["jobs"])

PAGE, LARGEST_PAGE = 20, 100
MISSING = ("not-acceptable", "unknown-job")
PAGING = {
    "limit": {
        "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE},
        "description": "how many jobs at most",
    },
    "after": {
        "schema": {"type": "string"},
        "description": "id of the last job of the page before: `next` of that page",
    },
}
RESUMING = {
    "Last-Event-ID": {
        "schema": {"type": "string"},
        "description": "id of the last event heard: only what is new is told",
    }
}


@router.get(
    "/v1/jobs",
    responses=declared(
        JobList, "A page of jobs", refusals=("not-acceptable", "unknown-job", "invalid-parameters")
    ),
    openapi_extra={"parameters": openapi.parameters("query", PAGING)},
)
async def list_jobs(request: Request) -> Response:
    """The caller's jobs, newest first, a page at a time."""
    here, whose = service(request), owner(request)
    choose(request.headers.get("accept"), (JSON,))
    most, after = _page(request)
    last = await asking.found(here, after, whose) if after else None
    heads = await here.store.do(jobs.listing, whose, most + 1, last)
    shown = [resources.job(head, here.runner.find(head.id)) for head in heads[:most]]
    page = JobList(jobs=shown, next=shown[-1].id if len(heads) > most else None)
    return Response(page.model_dump_json(), media_type=JSON)


@router.get("/v1/jobs/{id}", responses=declared(Job, "The job", refusals=MISSING))
async def show_job(request: Request, id: str) -> Response:
    """One job: its state, its progress, the certificate proven so far."""
    here = service(request)
    choose(request.headers.get("accept"), (JSON,))
    head = await asking.found(here, id, owner(request))
    told = resources.job(head, here.runner.find(id))
    return Response(told.model_dump_json(), media_type=JSON)


@router.delete("/v1/jobs/{id}", responses=declared(Job, "The job as it now is", refusals=MISSING))
async def cancel_job(request: Request, id: str) -> Response:
    """Cancel a job: it draws no further chunk. One that is over stays as it is."""
    here, whose = service(request), owner(request)
    choose(request.headers.get("accept"), (JSON,))
    await here.runner.cancel(id, whose)
    told = resources.job(await asking.found(here, id, whose))
    return Response(told.model_dump_json(), media_type=JSON)


@router.get(
    "/v1/jobs/{id}/events",
    responses=openapi.streamed(
        "The job as it changes: `progress` with the certificate proven so far, then `done`, "
        "`failed` or `cancelled`; each holds a component Job",
        refusals=MISSING,
    ),
    openapi_extra={"parameters": openapi.parameters("header", RESUMING)},
)
async def watch_job(request: Request, id: str) -> Response:
    """Watch a job: server-sent events, each with progress and the certificate proven so far.

    204 if the last of them was heard already.
    """
    here, whose = service(request), owner(request)
    choose(request.headers.get("accept"), (EVENTS,))
    await asking.found(here, id, whose)
    last = request.headers.get("last-event-id")
    if last == END:
        return Response(status_code=204)
    return streamed(here.store, here.runner, id, whose, last)


@router.get(
    "/v1/jobs/{id}/certificate",
    responses=declared(
        results.CertifyAnswer,
        "The certificate",
        (PNG, NPY),
        (*MISSING, "job-not-done", "job-outdated", "model-unavailable", "workers-unavailable"),
    ),
)
async def show_certificate(request: Request, id: str) -> Response:
    """The certificate of a job that is done, as POST /v1/certify would have answered it.

    A job that failed answers its problem.
    """
    kind = choose(request.headers.get("accept"), (JSON, PNG, NPY))
    return await asking.certificate(service(request), id, owner(request), kind)


def _page(request: Request) -> tuple[int, str | None]:
    given: dict[str, Any] = dict(request.query_params)
    limit, after = given.pop("limit", str(PAGE)), given.pop("after", None)
    if given:
        name, value = next(iter(given.items()))
        advice = f"known parameters: {', '.join(PAGING)}"
        raise refuse("invalid-parameters", fault_of(name, value, "no such parameter", advice))
    if not (limit.isdecimal() and len(limit) < 4 and 1 <= int(limit) <= LARGEST_PAGE):
        rule = f"a whole number from 1 to {LARGEST_PAGE}"
        raise refuse("invalid-parameters", fault_of("limit", limit, rule, "leave it out"))
    return int(limit), after
