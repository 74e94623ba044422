"""A job's certificate as files, each at an address of its own.

They are what GET /v1/jobs/{id}/certificate answers under the Accept header, for clients, generated
ones among them, that expect one content type of one address.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service import openapi
from service.context import owner, service
from service.edge.negotiation import NPY, PNG, choose
from service.jobs import asking

router = APIRouter(default_response_class=Response, tags=["jobs"])

REFUSALS = (
    "not-acceptable",
    "unknown-job",
    "job-not-done",
    "model-unavailable",
    "workers-unavailable",
)


@router.get(
    "/v1/jobs/{id}/regions.png",
    responses=openapi.file(PNG, "The certified regions over the picture", REFUSALS),
)
async def show_regions(request: Request, id: str) -> Response:
    """The certified regions of a job that is done, over its picture."""
    choose(request.headers.get("accept"), (PNG,))
    return await asking.certificate(service(request), id, owner(request), PNG)


@router.get(
    "/v1/jobs/{id}/radii.npy",
    responses=openapi.file(NPY, "The radius of each feature, float64 (rows, columns)", REFUSALS),
)
async def show_radii(request: Request, id: str) -> Response:
    """The radius of each feature of a job that is done, as a .npy file."""
    choose(request.headers.get("accept"), (NPY,))
    return await asking.certificate(service(request), id, owner(request), NPY)
