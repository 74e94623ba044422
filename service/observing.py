"""Every request observed: its id, its line in the log, its count and its span."""

import logging
import time

from opentelemetry import trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs, tracing
from service.metrics import Metrics

log = logging.getLogger(__name__)

HEADER = "X-Request-Id"
HUNG_UP, FAILED = 499, 500
UNKNOWN = "none"
METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS")
# Asked every few seconds by whoever watches over the service; told only when they fail.
QUIET = ("/healthz", "/readyz", "/metrics")


class Observed:
    """Observes every HTTP request to `app`; what callers choose freely becomes no label."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on and tell what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        own, status, began = logs.begin_request(headers.get(HEADER)), HUNG_UP, time.monotonic()

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = own
            await send(message)

        span = tracing.http(scope["method"], dict(headers))
        with self._metrics.in_flight.track_inprogress(), trace.use_span(span, end_on_exit=True):
            try:
                await self._app(scope, receive, answered)
            except Exception:
                status = FAILED
                raise
            finally:
                route = _route(scope)
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.response.status_code", status)
                self._tell(scope, route, status, time.monotonic() - began)

    def _tell(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else UNKNOWN
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        if route in QUIET and status < FAILED - 100:
            return
        told = {"path": scope["path"], "route": route, "status": status}
        log.info("%s %s", method, route, extra=told | {"seconds": round(seconds, 4)})


def named(response: Response) -> Response:
    """The response with this task's request id, where it does not come through `Observed`."""
    if (own := logs.request_id()) is not None:
        response.headers[HEADER] = own
    return response


def _route(scope: Scope) -> str:
    """The template of the route that answered, or UNKNOWN."""
    path = getattr(scope.get("route"), "path", UNKNOWN)
    return path if isinstance(path, str) else UNKNOWN
