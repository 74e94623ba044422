"""Many clients at once: what they are answered, whether jobs get lost, whether memory grows."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from bench.live import LATER, MODELS, NPY, PATIENCE, Server, form, quantiles


@dataclass
class Crowd:
    """What many clients found."""

    statuses: Counter[str] = field(default_factory=Counter)
    jobs: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)

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
            await asyncio.sleep(2)

    async def lost(self, http: httpx.AsyncClient) -> list[str]:
        """Jobs that were accepted and did not end well."""
        lost = []
        for address in self.jobs:
            end = time.monotonic() + PATIENCE
            state = "unknown"
            while time.monotonic() < end:
                state = (await http.get(address)).json().get("state", "unknown")
                if state not in ("queued", "running"):
                    break
                await asyncio.sleep(0.2)
            if state != "done":
                lost.append(f"{address}: {state}")
        return lost

    def slope(self) -> float:
        """Growth of memory over the second half of the time, MiB a minute (least squares)."""
        half = self.memory[len(self.memory) // 2 :]
        minutes = [at / 60 for at, _ in half]
        return statistics.linear_regression(minutes, [m for _, m in half]).slope


async def soak(server: Server, clients: int, minutes: float) -> dict[str, Any]:
    """So many clients for so many minutes."""
    crowd, end = Crowd(), time.monotonic() + 60 * minutes
    limits = httpx.Limits(max_connections=clients + 10)
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE, limits=limits) as http:
        each = (crowd.client(http, number, end) for number in range(clients))
        await asyncio.gather(crowd.watch(server, end), *each)
        lost = await crowd.lost(http)
    errors = {s: n for s, n in crowd.statuses.items() if s not in ("200", "202", "429")}
    return {
        "clients": clients,
        "minutes": minutes,
        "statuses": dict(crowd.statuses),
        "errors_other_than_429": errors,
        "jobs": len(crowd.jobs),
        "lost_jobs": lost,
        "answered": quantiles(crowd.seconds),
        "memory_mib": {"first": round(crowd.memory[0][1]), "last": round(crowd.memory[-1][1])},
        "memory_slope_mib_per_minute": round(crowd.slope(), 2),
    }
