"""Requests have to arrive: head and body each within a time, or the connection is given up.

A caller who sends a byte now and then would otherwise keep connections, and what they cost, for
ever (slow loris).
"""

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.problems import ProblemError


class Arrival:
    """Bodies for `app` that come within so many seconds of their head; others end with 408."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, its body under a deadline."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        deadline = asyncio.get_running_loop().time() + self._seconds
        whole = False

        async def timely() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise _too_slow(self._seconds) from None
            whole = not message.get("more_body", False)
            return message

        await self._app(scope, timely, send)


def _too_slow(seconds: float) -> ProblemError:
    detail = f"the body had not come after {seconds:g} s; send it faster, or send less"
    return ProblemError("too-slow", detail, headers={"Connection": "close"})


def protocol(seconds: float) -> type[asyncio.Protocol]:
    """HTTP/1.1 for uvicorn that hangs up where a head is not complete within so many seconds."""
    # uvicorn takes a class and says nothing about settings of ours.
    return type("ImpatientProtocol", (_Impatient,), {"seconds": seconds})


class _Impatient(H11Protocol):
    """The time runs from the connection on, and again from the first byte of each later request."""

    seconds: float
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A caller is there."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Some bytes came; the head may be complete now."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait()
        else:
            self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller is gone."""
        self._rest()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._waiting is None:
            hang_up: Callable[[], Any] = self.transport.close
            self._waiting = self.loop.call_later(self.seconds, hang_up)

    def _rest(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
