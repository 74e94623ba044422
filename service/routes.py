"""The HTTP routes: read, make the order, run the pipeline, answer in the content type asked for."""

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from models import registry
from service import answers, estimating, explaining, pipeline, results, schemas
from service.context import owner, service
from service.edge.attendance import Gone, attended
from service.edge.negotiation import EVENTS, JSON, NPY, PNG, choose
from service.edge.preferences import preferences
from service.failures import too_long, unavailable
from service.jobs import asking, streaming
from service.jobs.asking import HUNG_UP
from service.jobs.record import accepted
from service.openapi import JUDGED, POSTED, SAMPLED, WAITING, body, later, parameters
from service.openapi import answers as declared
from service.orders import certify_order, estimate_order, explain_order, find_card
from service.requests import FORM, content_type, read, read_body

router = APIRouter(default_response_class=Response)


def _json(answer: schemas.Wire) -> Response:
    return Response(answer.model_dump_json(), media_type=JSON)


@router.post(
    "/v1/explain",
    tags=["explanations"],
    responses=declared(
        results.ExplainAnswer, "The map", (PNG, NPY, EVENTS), (*SAMPLED, "took-too-long")
    ),
    openapi_extra=body({JSON: schemas.ExplainRequest, FORM: schemas.ExplainUpload}),
)
async def explain(request: Request) -> Response:
    """Explain: which parts of the picture did the model look at?

    PNG is the map over the picture, application/octet-stream the map as .npy (float64),
    text/event-stream shows on the way how many decoys of how many are done.
    """
    here = service(request)
    kind = choose(request.headers.get("accept"), (JSON, PNG, NPY, EVENTS))
    parcel = await read(request, here.settings.max_body_bytes)
    order = explain_order(parcel.fields, parcel.textual, here.settings)
    subject = await asyncio.to_thread(
        pipeline.receive, parcel.picture, order.card, here.settings.max_pixels
    )
    here.admission.enter(request, order.card, order.noise)
    if kind == EVENTS:
        steps = pipeline.explain_steps(here.pool, order, subject)
        told = explaining.events(steps, here.settings.retry_after_seconds)
        told = here.admission.streamed(told, order.noise)
        return StreamingResponse(told, media_type=EVENTS, headers={"Cache-Control": "no-store"})
    work = pipeline.explain(here.pool, order, subject)
    try:
        with here.admission.held(order.noise):
            explained = await attended(request, work, here.settings.longest_wait_seconds)
    except Gone:
        return Response(status_code=HUNG_UP)
    except TimeoutError:
        raise too_long(here.settings.longest_wait_seconds) from None
    if kind == NPY:
        # Written sooner than a thread begins.
        return Response(answers.explanation(explained, kind), media_type=kind)
    return Response(await asyncio.to_thread(answers.explanation, explained, kind), media_type=kind)


@router.post(
    "/v1/certify",
    tags=["explanations"],
    responses=later(
        declared(
            results.CertifyAnswer,
            "The certificate",
            (PNG, NPY, EVENTS),
            (*SAMPLED, "too-few-samples", "idempotency-mismatch", "job-not-done"),
        )
    ),
    openapi_extra={
        **body({JSON: schemas.CertifyRequest, FORM: schemas.CertifyUpload}),
        "parameters": parameters("header", WAITING),
    },
)
async def certify(request: Request) -> Response:
    """Certify: how far can anyone tamper with the picture before the explanation changes?

    PNG is the certified regions over the picture, application/octet-stream the radius of each
    feature as .npy (float64, rows x columns), text/event-stream shows progress on the way. With
    Prefer or Idempotency-Key, and where it takes longer than a request may wait, it is a job: 202,
    and Location says where. A stream that the server's end cuts short ends with an event `job`,
    which holds a component Job: the certificate goes on as that job. With an Idempotency-Key the
    stream is that of the job, as GET /v1/jobs/{id}/events tells it, and Location says which.
    """
    here = service(request)
    kind = choose(request.headers.get("accept"), (JSON, PNG, NPY, EVENTS))
    wish = preferences(request.headers)
    parcel = await read(request, here.settings.max_body_bytes)
    order = await asyncio.to_thread(certify_order, parcel.fields, parcel.textual, here.settings)
    subject = await asyncio.to_thread(
        pipeline.receive, parcel.picture, order.card, here.settings.max_pixels
    )
    here.admission.enter(request, order.card, order.noise)
    record = accepted(order, subject, owner(request), wish.idempotency)
    if wish.durable:
        return await asking.durable(here, request, record, kind, wish)
    if kind == EVENTS:
        stream = here.admission.streamed(streaming.events(here, record), order.noise)
        return StreamingResponse(stream, media_type=EVENTS, headers={"Cache-Control": "no-store"})
    return await asking.attached(here, request, record, kind, wish)


@router.post(
    "/v1/certify/estimate",
    tags=["explanations"],
    responses=declared(results.EstimateAnswer, "What is feasible", refusals=JUDGED),
    openapi_extra=body({JSON: schemas.EstimateRequest, FORM: schemas.EstimateUpload}),
)
async def estimate(request: Request) -> Response:
    """Estimate, before sampling: could what is asked be proven, and what would it cost?

    Takes what /v1/certify takes; the picture may be left out. Reaches no model.
    """
    here = service(request)
    choose(request.headers.get("accept"), (JSON,))
    parcel = await read(request, here.settings.max_body_bytes, picture_needed=False)
    order = await asyncio.to_thread(estimate_order, parcel.fields, parcel.textual, here.settings)
    if parcel.picture:
        limit = here.settings.max_pixels
        await asyncio.to_thread(pipeline.receive, parcel.picture, order.card, limit)
    return _json(await asyncio.to_thread(estimating.estimate, here.pool, order, here.settings))


@router.get(
    "/v1/models",
    tags=["models"],
    responses=declared(results.ModelList, "Every model", refusals=("not-acceptable",)),
)
async def list_models(request: Request) -> Response:
    """The models that this server can explain."""
    choose(request.headers.get("accept"), (JSON,))
    return _json(answers.models(registry.cards().values()))


@router.get(
    "/v1/models/{name}",
    tags=["models"],
    responses=declared(results.ModelCard, "The card", refusals=("unknown-model", "not-acceptable")),
)
async def show_model(request: Request, name: str) -> Response:
    """One model: its labels, licence, weights and defaults."""
    choose(request.headers.get("accept"), (JSON,))
    return _json(answers.model(find_card(name)))


@router.post(
    "/v1/verify",
    tags=["certificates"],
    responses=declared(
        results.VerifyAnswer, "What the verifier found", refusals=(*POSTED, "verifier-busy")
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": {"type": "object", "additionalProperties": True}}},
        }
    },
)
async def verify(request: Request) -> Response:
    """Verify a certificate document: recompute every claim from its evidence."""
    here = service(request)
    choose(request.headers.get("accept"), (JSON,))
    content_type(request, (JSON,))
    document = await read_body(request, here.settings.max_body_bytes)
    return _json(await here.verifier.verify(document))


@router.get(
    "/healthz", tags=["health"], responses=declared(results.Alive, "The HTTP process answers")
)
async def health() -> Response:
    """Is the HTTP process there? Says nothing about workers."""
    return _json(results.Alive(alive=True))


@router.get(
    "/readyz",
    tags=["health"],
    responses=declared(
        results.Ready, "A heartbeat went through a worker", refusals=("workers-unavailable",)
    ),
)
async def ready(request: Request) -> Response:
    """Can requests be answered now? A heartbeat goes through the workers first."""
    here = service(request)
    found = await here.pool.heartbeat()
    if not found.ready:
        raise unavailable(found.detail, here.settings.retry_after_seconds)
    workers = [
        results.WorkerState(name=each.name, state=each.state, restarts=each.restarts)
        for each in found.workers
    ]
    return _json(results.Ready(ready=True, workers=workers, detail=found.detail))


@router.get("/", include_in_schema=False)
async def index() -> Response:
    """Where to go from here."""
    return Response(
        '{"status":"alive","service":"affidavit","openapi":"/openapi.json"}', media_type=JSON
    )
