"""Proofs take turns, so that the event loop has its own."""

import asyncio
import threading
from contextvars import ContextVar

from service.proving import AT_ONCE, proving

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


def test_no_more_than_a_few_are_at_work_at_once():
    busy, most, lock = 0, 0, threading.Lock()
    enough = threading.Barrier(AT_ONCE)

    def work() -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        # As many as may be at work really are, or this breaks.
        enough.wait(10)
        with lock:
            busy -= 1

    async def crowd() -> None:
        await asyncio.gather(*(proving(work) for _ in range(4 * AT_ONCE)))

    asyncio.run(crowd())
    assert most == AT_ONCE


def test_work_knows_whose_it_is_and_its_failure_is_told():
    def work(divisor: int) -> str:
        return WHO.get() * (1 // divisor)

    async def story() -> tuple[str, str]:
        WHO.set("job 7")
        try:
            await proving(work, divisor=0)
        except ZeroDivisionError as error:
            return await proving(work, 1), str(error)
        return "", ""

    assert asyncio.run(story()) == ("job 7", "integer division or modulo by zero")
