"""The HTTP application: routes, problems for every failure, and the pool's life inside it.

Importing this and building the application never imports torch; workers do that in their own
processes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from models.images import BadImage
from service import kserve, metrics_route, openapi
from service.admission import Admission
from service.api_keys import Keys
from service.context import Service
from service.edge.gate import Gate
from service.edge.head import Head
from service.edge.patience import Arrival
from service.failures import as_problem
from service.jobs import file_routes
from service.jobs import routes as job_routes
from service.jobs.runner import Runner
from service.keys import signer
from service.metrics import Metrics
from service.observing import Observed, named
from service.pool.pools import ChunkedPool, Pool, PoolError
from service.problems import ProblemError
from service.routes import router
from service.settings import Settings
from service.store.store import Store
from service.verifying import Verifier

DESCRIPTION = """Saliency maps under oath: which parts of a picture did the model look at, and how
far can anyone tamper with the picture before that answer changes? Answered with a map, a proof and
a document that anyone can verify."""


def create_app(settings: Settings, pool: Pool) -> FastAPI:
    """The application over this pool, which it starts and stops with its lifespan.

    Raises BadKey if documents are to be signed and the key is not fit for it.
    """
    app = FastAPI(
        title="Affidavit",
        version=version("affidavit"),
        description=DESCRIPTION,
        lifespan=_lifespan,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        # Their pages load scripts from elsewhere; the document itself is enough.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = _service(settings, pool)
    for each in (
        router,
        job_routes.router,
        file_routes.router,
        kserve.router,
        metrics_route.router,
    ):
        app.include_router(each)
    app.add_middleware(Gate, keys=app.state.service.keys, most=settings.most_requests)
    app.add_middleware(Arrival, seconds=settings.arrival_seconds)
    app.add_middleware(Observed, metrics=app.state.service.metrics)
    app.add_middleware(Head)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    for kind in (ProblemError, BadImage, PoolError, HTTPException, Exception):
        app.add_exception_handler(kind, _answer)
    return app


def _service(settings: Settings, pool: Pool) -> Service:
    signs, store = signer(settings.signing_key), Store(settings.store_url, settings.data_dir)
    runner = Runner(store, pool, settings, signs)
    metrics = Metrics()
    runner.watchers.append(metrics.job)
    if isinstance(pool, ChunkedPool):
        pool.pace.listeners.append(metrics.chunk)
        pool.pace.halved.append(metrics.halvings.inc)
    admission = Admission(settings, pool, lambda: runner.backlog)
    keys, verifier = Keys(store, settings), Verifier(settings)
    return Service(settings, pool, signs, verifier, store, runner, metrics, keys, admission)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.store.start()
    try:
        service.verifier.start()
        await service.pool.start()
        service.runner.start()
        yield
    finally:
        await service.runner.stop()
        await service.pool.stop()
        service.verifier.stop()
        service.store.stop()


async def _answer(request: Request, error: Exception) -> Response:
    settings: Settings = request.app.state.service.settings
    return named(as_problem(error, settings.retry_after_seconds, request).response())
