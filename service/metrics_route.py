"""GET /metrics: the counters, and what is looked up when it is asked for."""

import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service import metrics
from service.context import service
from service.jobs.states import CHANGES
from service.openapi import text
from service.store import census

router = APIRouter(default_response_class=Response)


@router.get(
    "/metrics",
    tags=["health"],
    responses=text(metrics.MEDIA_TYPE, "Prometheus text exposition, version 0.0.4"),
)
async def show_metrics(request: Request) -> Response:
    """What Prometheus reads."""
    here = service(request)
    found = here.metrics
    found.queue.set(here.admission.waiting)
    found.fleet(await here.pool.heartbeat())
    found.census(await here.store.do(census.census, time.time()), CHANGES)
    return Response(found.text(), media_type=metrics.MEDIA_TYPE)
