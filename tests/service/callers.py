"""Who asks for jobs in tests: callers of one application in this process, over a pool without a
network that draws when it is told to."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from certify.document import dumps
from certify.evidence import Evidence
from certify.plan import Plan
from service import pipeline
from service.app import create_app
from service.context import Service
from service.orders import certify_order
from service.pipeline import Issue, Notes
from service.pool.pools import WorkerLost
from service.settings import Settings

LATER = {"prefer": "respond-async"}
KEY = "00112233445566778899aabbccddeeff"
SAMPLES = 640
PATIENCE = 30.0


def paced_pool(kind: type[Any]) -> Any:
    """A pool of this kind whose every part waits for `free`, which is set.

    losses: the worker is lost where a part begins there or later. spans: every part drawn.
    """

    @dataclass
    class Paced(kind):  # type: ignore[misc]
        steps: int = 0
        spans: list[tuple[int, int]] = field(default_factory=list)
        losses: list[int] = field(default_factory=list)

        def __post_init__(self) -> None:
            self.free = asyncio.Event()
            self.free.set()

        async def draw_parts(
            self, plan: Plan, image: Any, start: int, stop: int
        ) -> AsyncGenerator[Evidence, None]:
            async for part in super().draw_parts(plan, image, start, stop):
                await self.free.wait()
                if self.losses and part.ranges[0][0] >= self.losses[0]:
                    self.losses.pop(0)
                    raise WorkerLost("worker-0.1 was ended by SIGKILL while at work")
                self.spans.append(part.ranges[0])
                yield part

    return Paced()


@dataclass
class Caller:
    """Speaks to one running application."""

    http: httpx.AsyncClient
    service: Service
    picture: bytes

    async def certify(self, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        body = {"model": "digits-tiny", "samples": SAMPLES, "key": KEY, "radius": 0.02}
        body |= {"image": base64.b64encode(self.picture).decode()} | fields
        return await self.http.post("/v1/certify", json=body, headers=headers or {})

    async def job(self, address: str) -> dict[str, Any]:
        told: dict[str, Any] = (await self.http.get(address)).json()
        return told

    async def until(self, address: str, *states: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while (told := await self.job(address))["state"] not in states:
            assert time.monotonic() < end, told
            await asyncio.sleep(0.01)
        return told

    async def drawn(self, address: str, samples: int) -> None:
        while (await self.job(address))["drawn"] < samples:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(pool: Any, settings: Settings, picture: bytes) -> AsyncIterator[Caller]:
    app = create_app(settings, pool)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as http,
    ):
        yield Caller(http, app.state.service, picture)


def undisturbed(pool: Any, picture: bytes, document: dict[str, Any], **fields: Any) -> bytes:
    """The document of the same order without jobs, store or interruption, its name and time those
    of `document`."""
    asked = {"model": "digits-tiny", "samples": SAMPLES, "key": KEY, "radius": 0.02} | fields
    order = certify_order(asked, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)
    notes = Notes(Issue(document["identifier"], document["issued"]))

    async def last() -> Any:
        steps = pipeline.certify(pool, order, subject, proofs=False, notes=notes)
        return [step async for step in steps][-1]

    return dumps(asyncio.run(last()).document)


def events(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Id, name and job of each event."""
    found = []
    for block in text.strip().split("\n\n"):
        if not block.startswith(":"):
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            found.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return found
