"""Many clients at once: what they are answered, whether jobs get lost, whether memory grows."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.live import LATER, MODELS, NPY, PATIENCE, Server, Shares, form, quantiles

OPEN = ("queued", "running")
LOOK_SECONDS = 2.0
# A connection that was quiet for longer is not used again: the server may be about to close it.
IDLE_SECONDS = 2.0
# So many jobs are looked up at once when all is over.
AT_ONCE = 20


@dataclass
class Crowd:
    """What many clients found. jobs: where those are that were accepted."""

    statuses: Counter[str] = field(default_factory=Counter)
    jobs: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    memory: list[tuple[float, Shares]] = field(default_factory=list)

    async def client(self, http: httpx.AsyncClient, number: int, end: float) -> None:
        """Ask one thing after another, and come back when told to."""
        asks: tuple[Callable[[], Awaitable[httpx.Response]], ...] = (
            lambda: http.post("/v1/explain", **form(MODELS[0], method="gradient"), headers=NPY),
            lambda: http.post("/v1/certify", **form(MODELS[0], samples=64), headers=NPY),
            lambda: http.post("/v1/certify", **form(MODELS[0], samples=256), headers=LATER),
        )
        while time.monotonic() < end:
            began = time.monotonic()
            kind = number % len(asks)
            number += 1
            try:
                response = await asks[kind]()
            except httpx.TransportError as error:
                self.statuses[type(error).__name__] += 1
                continue
            self.statuses[str(response.status_code)] += 1
            if response.status_code == 429:
                await asyncio.sleep(min(float(response.headers["retry-after"]), 10))
                continue
            self.seconds.append(time.monotonic() - began)
            if response.status_code == 202:
                self.jobs.append(response.headers["location"])

    async def watch(self, server: Server, end: float) -> None:
        """Look at the memory now and then."""
        began = time.monotonic()
        while time.monotonic() < end:
            self.memory.append((time.monotonic() - began, server.memory()))
            await asyncio.sleep(LOOK_SECONDS)

    async def settle(self, http: httpx.AsyncClient, seconds: float) -> dict[str, Any]:
        """What became of every job: those that are not over within so many seconds are cancelled.

        lost: jobs that are neither done nor cancelled by us.
        """
        began = time.monotonic()
        while time.monotonic() - began < seconds and await backlog(http):
            await asyncio.sleep(LOOK_SECONDS)
        drained = time.monotonic() - began
        fates: list[str] = []
        for first in range(0, len(self.jobs), AT_ONCE):
            some = self.jobs[first : first + AT_ONCE]
            fates += await asyncio.gather(*(ended(http, job) for job in some))
        lost = [f"{j}: {f}" for j, f in zip(self.jobs, fates, strict=True) if f not in KEPT]
        counts = {fate: fates.count(fate) for fate in KEPT}
        return {"accepted": len(fates), **counts, "lost": lost, "waited_seconds": round(drained, 1)}

    def slope(self, part: Callable[[Shares], float]) -> float:
        """Growth of memory over the second half of the time, MiB a minute (least squares)."""
        half = self.memory[len(self.memory) // 2 :]
        minutes = [at / 60 for at, _ in half]
        found = statistics.linear_regression(minutes, [part(memory) for _, memory in half])
        return round(found.slope, 2)


DONE, CANCELLED = "done", "cancelled_after_the_wait"
KEPT = (DONE, CANCELLED)


async def backlog(http: httpx.AsyncClient) -> float:
    """Jobs that are not over, as /metrics counts them."""
    lines = (await told(http, "GET", "/metrics")).text.splitlines()
    named = tuple(f'affidavit_jobs{{state="{state}"}}' for state in OPEN)
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(named))


async def ended(http: httpx.AsyncClient, job: str) -> str:
    """How a job ended, by our hand if need be; else what is wrong with it."""
    state = (await told(http, "GET", job)).json().get("state", "unknown")
    if state not in OPEN:
        return str(state)
    state = (await told(http, "DELETE", job)).json().get("state", "unknown")
    return CANCELLED if state == "cancelled" else str(state)


async def told(http: httpx.AsyncClient, method: str, path: str) -> httpx.Response:
    """The answer to a question that may be asked again, which it is while a connection fails."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return await http.request(method, path)
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(LOOK_SECONDS)


async def soak(server: Server, clients: int, minutes: float, drain: float) -> dict[str, Any]:
    """So many clients for so many minutes; then as many more, at most, for what was accepted."""
    crowd, end = Crowd(), time.monotonic() + 60 * minutes
    limits = httpx.Limits(max_connections=clients + 10, keepalive_expiry=IDLE_SECONDS)
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE, limits=limits) as http:
        each = (crowd.client(http, number, end) for number in range(clients))
        await asyncio.gather(crowd.watch(server, end), *each)
        jobs = await crowd.settle(http, 60 * drain)
    errors = {s: n for s, n in crowd.statuses.items() if s not in ("200", "202", "429")}
    first, last = crowd.memory[0][1], crowd.memory[-1][1]
    return {
        "clients": clients,
        "minutes": minutes,
        "statuses": dict(crowd.statuses),
        "errors_other_than_429": errors,
        "jobs": jobs,
        "answered": quantiles(crowd.seconds),
        "memory_mib": {"first": first.rounded(), "last": last.rounded()},
        "memory_slope_mib_per_minute": {
            "api": crowd.slope(lambda memory: memory.api),
            "workers": crowd.slope(lambda memory: memory.workers),
        },
    }
