"""The gate before all routes: who asks, and whether there are too many at once."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api_keys import Keys
from service.observing import named
from service.problems import ProblemError

# Whoever watches over the service needs no key and is never turned away.
OPEN = frozenset(
    {"/", "/openapi.json", "/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"}
)


class Gate:
    """Lets requests to `app` in: with a key where one is needed, and at most `most` at a time.

    The request's state then has `owner`, the name of the key, and `samples_an_hour`.
    """

    def __init__(self, app: ASGIApp, keys: Keys, most: int) -> None:
        self._app, self._keys, self._most = app, keys, most
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer why not."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        try:
            if self._inside >= self._most:
                raise _crowded(self._most)
            entry = await self._keys.caller(Headers(scope=scope).get("authorization"))
        except ProblemError as error:
            await named(error.response())(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["owner"] = entry.name if entry else ""
        state["samples_an_hour"] = entry.samples_an_hour if entry else None
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1


def _crowded(most: int) -> ProblemError:
    detail = f"{most} requests are being answered already; try again in a second"
    return ProblemError("too-many-requests", detail, headers={"Retry-After": "1"})
