"""Workers that are killed, hang or never come: nothing is lost silently."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from service.pool.pools import (
    WorkerLost,
)
from service.pool.schedule import MOST_LOSSES
from service.pool.workers import Limits
from tests.service.fake_worker import (
    CRASHING,
    GOOD,
    IMAGE,
    SLOW,
    Fake,
    plan,
)
from tests.service.pools import gone, ready, run, state

pytestmark = pytest.mark.usefixtures("importable")


def test_what_a_killed_worker_was_at_is_done_by_the_next():
    async def story(pool):
        (member,) = await ready(pool)
        drawing = asyncio.create_task(pool.draw(plan(), IMAGE, 0, 1000))
        await state(pool, "busy")
        os.kill(member.pid, signal.SIGKILL)
        await state(pool, "down")
        health = await pool.heartbeat()
        return health, await drawing, await ready(pool)

    health, drawn, (member,) = run(story)
    assert not health.ready and health.detail == "0 of 1 workers answer"
    assert drawn.digest() == Fake().draw(plan(), IMAGE, 0, 1000).digest()
    assert member.restarts == 1


def test_work_that_costs_every_worker_is_given_up_and_takes_nobody_along():
    """Small jobs wait while the worker is busy, and then share messages with one that kills it."""

    async def story(pool):
        await ready(pool)
        busy = asyncio.create_task(pool.draw(plan(), IMAGE, 0, 300))
        await state(pool, "busy")
        plans = [plan(CRASHING if n == 2 else GOOD) for n in range(5)]
        small = [pool.draw(each, IMAGE, n, n + 5) for n, each in enumerate(plans)]
        drawn = await asyncio.gather(busy, *small, return_exceptions=True)
        return drawn, await ready(pool)

    (busy, *small), (member,) = run(story)
    assert busy.digest() == Fake().draw(plan(), IMAGE, 0, 300).digest()
    lost = small.pop(2)
    assert isinstance(lost, WorkerLost) and "exit status 3 while at work" in str(lost)
    for start, drawn in zip((0, 1, 3, 4), small, strict=True):
        assert drawn.digest() == Fake().draw(plan(), IMAGE, start, start + 5).digest()
    assert member.restarts == MOST_LOSSES


@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_workers_draws_the_same_one_of_them_slow_and_one_killed(count):
    """Several jobs at once; the last worker is stopped for a while, the first is killed."""

    async def story(pool):
        members = await ready(pool, count)
        jobs = [pool.draw(plan(), IMAGE, n, 400 + 7 * n) for n in range(4)]
        drawing = asyncio.gather(*jobs)
        await state(pool, "busy")
        os.kill(members[-1].pid, signal.SIGSTOP)
        await asyncio.sleep(0.1)
        os.kill(members[-1].pid, signal.SIGCONT)
        os.kill(members[0].pid, signal.SIGKILL)
        return await drawing

    for n, drawn in enumerate(run(story, count, chunk_seconds=0.05)):
        assert drawn.digest() == Fake().draw(plan(), IMAGE, n, 400 + 7 * n).digest()


def test_one_lost_worker_leaves_the_other_serving():
    async def story(pool):
        members = await ready(pool, 2)
        os.kill(members[0].pid, signal.SIGKILL)
        while len(await ready(pool)) == 2:
            await asyncio.sleep(0.01)
        assert (await pool.heartbeat()).ready
        return await pool.draw(plan(), IMAGE, 0, 8)

    assert run(story, 2).samples == 8


def test_a_hung_worker_is_ended_and_replaced():
    async def story(pool):
        (before,) = await ready(pool)
        with pytest.raises(WorkerLost, match="SIGKILL"):
            await pool.draw(plan(SLOW), IMAGE, 0, 4)
        return before, (await ready(pool))[0]

    before, after = run(story, limits=Limits(message=0.3))
    assert before.pid != after.pid


def test_work_of_a_worker_that_is_stopped_in_the_middle_is_done_by_the_next():
    """SIGSTOP: the process is there, holds its socket, and does nothing."""

    async def story(pool):
        (member,) = await ready(pool)
        drawing = asyncio.create_task(pool.draw(plan(), IMAGE, 0, 1000))
        await state(pool, "busy")
        os.kill(member.pid, signal.SIGSTOP)
        drawn = await drawing
        return drawn, member.pid, (await ready(pool))[0].pid

    drawn, before, after = run(story, chunk_seconds=0.05, limits=Limits(message=0.5))
    assert drawn.digest() == Fake().draw(plan(), IMAGE, 0, 1000).digest()
    assert before != after and gone(before)


def test_an_idle_worker_that_is_stopped_is_found_out_and_replaced_unasked():
    async def story(pool):
        (member,) = await ready(pool)
        os.kill(member.pid, signal.SIGSTOP)
        while Path(f"/proc/{member.pid}").exists():
            await asyncio.sleep(0.02)
        return member.pid, (await ready(pool))[0].pid

    before, after = run(story, limits=Limits(heartbeat=0.2))
    assert before != after


def test_an_idle_worker_that_does_not_answer_is_not_ready():
    async def story(pool):
        (member,) = await ready(pool)
        os.kill(member.pid, signal.SIGSTOP)
        stopped = await pool.heartbeat()
        os.kill(member.pid, signal.SIGCONT)
        return stopped, await ready(pool)

    stopped, (member,) = run(story, limits=Limits(heartbeat=0.2))
    assert not stopped.ready
    assert stopped.workers[0].state == "silent"
    assert member.restarts == 0


def test_a_worker_that_never_starts_costs_patience_and_no_more():
    async def story(pool):
        with pytest.raises(WorkerLost, match=r"no worker has been running for 0\.6 s"):
            await pool.look("fake", IMAGE, None)
        health = await pool.heartbeat()
        return health.ready, health.workers[0].restarts

    limits = Limits(patience=0.6)
    healthy, restarts = run(story, command=(sys.executable, "-c", "pass"), limits=limits)
    assert not healthy
    assert restarts >= 1


def test_a_command_that_is_none_is_reported_as_down():
    async def story(pool):
        with pytest.raises(WorkerLost):
            await pool.look("fake", IMAGE, None)

    run(story, command=("/nowhere/python",), limits=Limits(patience=0.3))
