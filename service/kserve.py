"""Standing where a KServe explainer stands: the verb `:explain` of its V1 protocol, and health and
metadata of the open inference protocol (V2), which has no verb for explanations.

An instance is what POST /v1/certify takes as JSON, with the picture as {"b64": …}, the way that V1
writes bytes; its explanation is the map, the radii and the certificate.
"""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from models.registry import Card
from models.weights import WeightsError, weights
from service import answers, pipeline
from service.context import Service, owner, service
from service.edge.attendance import Gone, attended
from service.edge.negotiation import JSON, choose
from service.failures import too_long, unavailable
from service.jobs.asking import HUNG_UP
from service.jobs.record import Record, accepted
from service.jobs.running import SetAside
from service.kserve_schemas import (
    MOST_INSTANCES,
    ExplainedInstances,
    ExplainInstances,
    Explanation,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    Tensor,
)
from service.openapi import SAMPLED, body
from service.openapi import answers as declared
from service.orders import certify_order, find_card
from service.pipeline import Certified
from service.problems import Fault, ProblemError, fault, refuse
from service.requests import content_type, parse_json, picture_of, read_body
from service.schemas import Wire

router = APIRouter(default_response_class=Response, tags=["kserve"])

IMAGE_RULE = 'it must be {"b64": "…"}, the picture file as base64'


@router.post(
    "/v1/models/{name}:explain",
    responses=declared(
        ExplainedInstances,
        "Map and certificate of each picture",
        (),
        (*SAMPLED, "too-few-samples", "took-too-long"),
    ),
    openapi_extra=body({JSON: ExplainInstances}),
)
async def explain_instances(request: Request, name: str) -> Response:
    """Explain pictures as a KServe explainer does (V1 protocol), with certificates."""
    here, card = service(request), find_card(name)
    choose(request.headers.get("accept"), (JSON,))
    content_type(request, (JSON,))
    data = await read_body(request, here.settings.max_body_bytes)
    records = await asyncio.to_thread(_records, here, card, data, owner(request))
    seconds = here.settings.longest_wait_seconds
    try:
        with ExitStack() as held:
            for record in records:
                here.admission.enter(request, card, record.order.noise)
                held.enter_context(here.admission.held(record.order.noise))
            done = await attended(request, _all(here, records), seconds)
    except Gone:
        return Response(status_code=HUNG_UP)
    except TimeoutError:
        raise too_long(seconds) from None
    except SetAside:
        raise unavailable("the server is to end", here.settings.retry_after_seconds) from None
    made = await asyncio.to_thread(lambda: [_explanation(one, here) for one in done])
    return _json(ExplainedInstances(explanations=made))


@router.get("/v2/health/live", responses=declared(ServerLive, "The HTTP process answers"))
async def server_live() -> Response:
    """Is the HTTP process there? (V2 protocol)"""
    return _json(ServerLive(live=True))


@router.get(
    "/v2/health/ready",
    responses=declared(
        ServerReady, "A heartbeat went through a worker", refusals=("workers-unavailable",)
    ),
)
async def server_ready(request: Request) -> Response:
    """Can requests be answered now? A heartbeat goes through the workers first. (V2 protocol)"""
    await _ready(service(request))
    return _json(ServerReady(ready=True))


@router.get("/v2", responses=declared(ServerMetadata, "Name and version"))
async def server_metadata() -> Response:
    """Which server this is. (V2 protocol)"""
    return _json(ServerMetadata(name="affidavit", version=version("affidavit"), extensions=[]))


@router.get(
    "/v2/models/{name}",
    responses=declared(ModelMetadata, "The metadata", refusals=("unknown-model",)),
)
async def model_metadata(name: str) -> Response:
    """What a model takes and what an explanation of it gives. (V2 protocol)"""
    card = find_card(name)
    rows = card.size // card.defaults.cell
    return _json(
        ModelMetadata(
            name=card.name,
            versions=[card.weights],
            platform="affidavit",
            inputs=[Tensor(name="image", datatype="BYTES", shape=[1])],
            outputs=[
                Tensor(name="map", datatype="FP64", shape=[rows, rows]),
                Tensor(name="radii", datatype="FP64", shape=[rows, rows]),
            ],
        )
    )


@router.get(
    "/v2/models/{name}/ready",
    responses=declared(
        ModelReady,
        "It can be explained",
        refusals=("unknown-model", "model-unavailable", "workers-unavailable"),
    ),
)
async def model_ready(request: Request, name: str) -> Response:
    """Can this model be explained now? Its weights are looked at, and a heartbeat sent. (V2)"""
    here, card = service(request), find_card(name)
    try:
        await asyncio.to_thread(weights, card)
    except WeightsError:
        raise ProblemError("model-unavailable", "this server lacks the model's weights") from None
    await _ready(here)
    return _json(ModelReady(name=card.name, ready=True))


async def _ready(here: Service) -> None:
    found = await here.pool.heartbeat()
    if not found.ready:
        raise unavailable(found.detail, here.settings.retry_after_seconds)


def _records(here: Service, card: Card, data: bytes, whose: str) -> list[Record]:
    """What is asked, every instance judged before the first is drawn."""
    given = parse_json(data)
    if not isinstance(given, dict) or set(given) != {"instances"}:
        raise refuse("invalid-parameters", _fault("instances", given, "it is the one field"))
    instances = given["instances"]
    if not isinstance(instances, list) or not 1 <= len(instances) <= MOST_INSTANCES:
        rule = f"a list of 1 to {MOST_INSTANCES} objects"
        raise refuse("invalid-parameters", _fault("instances", instances, rule))
    return [_record(here, card, each, whose) for each in instances]


def _record(here: Service, card: Card, instance: Any, whose: str) -> Record:
    if not isinstance(instance, dict):
        raise refuse("invalid-parameters", _fault("instances", instance, "each is an object"))
    fields = dict(instance)
    picture = _picture(fields.pop("image", None))
    if fields.setdefault("model", card.name) != card.name:
        rule = f"the address names {card.name}"
        raise refuse("invalid-parameters", _fault("model", fields["model"], rule))
    order = certify_order(fields, False, here.settings)
    subject = pipeline.receive(picture, order.card, here.settings.max_pixels)
    return accepted(order, subject, whose, None)


def _picture(image: Any) -> bytes:
    if not isinstance(image, Mapping) or set(image) != {"b64"}:
        raise refuse("bad-image", _fault("image", image, IMAGE_RULE))
    return picture_of(image["b64"])


def _fault(name: str, value: object, rule: str) -> Fault:
    return fault(name, value, rule, 'send {"instances": [{"image": {"b64": "…"}}]}')


async def _all(here: Service, records: list[Record]) -> list[Certified]:
    """The certificates, side by side; if one cannot be had, or nobody waits, none goes on."""
    running = [here.runner.begin(record) for record in records]
    try:
        return list(await asyncio.gather(*(asyncio.shield(one.outcome) for one in running)))
    finally:
        for one in running:
            here.runner.drop(one)


def _explanation(done: Certified, here: Service) -> Explanation:
    plan, rows = done.plan, done.plan.rows
    shares = plan.shares(done.evidence.counts, done.evidence.samples)
    return Explanation(
        map=shares.reshape(rows, -1).tolist(),
        radii=done.certificate.feature_radii.reshape(rows, -1).tolist(),
        certified=answers.certify_answer(done, here.signer),
    )


def _json(answer: Wire) -> Response:
    return Response(answer.model_dump_json(), media_type=JSON)
