"""Pools of real processes that compute without a network: run, waited for, looked at."""

import asyncio
import sys
import time
from pathlib import Path

from service.pool.workers import WorkerPool
from tests.service import fake_worker

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, fake_worker.__file__)
DIGITS = sorted((ROOT / "tests/data/digits").glob("*.png"))


def run(story, count=1, **options):
    """The result of `story(pool)` with a pool of fake workers running."""

    async def whole():
        pool = WorkerPool(count, **({"command": COMMAND} | options))
        await pool.start()
        try:
            return await asyncio.wait_for(story(pool), 60)
        finally:
            await pool.stop()

    return asyncio.run(whole())


async def ready(pool, count=1):
    """Wait until so many workers answer; their members."""
    while True:
        health = await pool.heartbeat()
        answering = [m for m in health.workers if m.state in ("idle", "busy")]
        if len(answering) >= count:
            return answering
        await asyncio.sleep(0.02)


async def state(pool, wanted):
    """Wait until the first worker is in this state."""
    while (await pool.heartbeat()).workers[0].state != wanted:
        await asyncio.sleep(0.01)


def gone(pid, seconds=10.0):
    """Whether the process ends, and is reaped, within the time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists():
            return True
        time.sleep(0.02)
    return False
