"""The pool of worker processes, with real processes: nothing lost silently, nothing left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from certify.plan import Plan, Recipe
from models import images
from models.registry import card
from service import wire, workers
from service.pool import (
    LocalPool,
    ModelUnavailable,
    TooLittleMemory,
    WorkerLost,
    WorkFailed,
    WorkRefused,
)
from service.schedule import MOST_LOSSES
from service.settings import bundled_photo
from service.workers import Limits, WorkerPool
from tests.service import fake_worker
from tests.service.fake_worker import (
    BROKEN,
    CONTRADICTORY,
    CRASHING,
    GOOD,
    HUGE,
    IMAGE,
    LARGE,
    ROOM,
    SLOW,
    Fake,
    plan,
)

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, fake_worker.__file__)
DIGITS = sorted((ROOT / "tests/data/digits").glob("*.png"))


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    """The fake worker is a script outside the packages; its process needs the tree on its path."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


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


def test_two_workers_share_one_draw():
    async def story(pool):
        await ready(pool, 2)
        parts = []
        async with aclosing(pool.draw_parts(plan(), IMAGE, 0, 400)) as drawing:
            async for part in drawing:
                parts.append(part)
                busy = [m.state for m in (await pool.heartbeat()).workers]
                if busy == ["busy", "busy"]:
                    return True
        return False

    assert run(story, 2, chunk_seconds=0.05)


@pytest.mark.parametrize("count", [1, 2])
def test_look_and_average_cross_the_wire(count):
    async def story(pool):
        return await pool.look("fake", IMAGE, None), await pool.average(plan(), IMAGE, 2, 50)

    look, total = run(story, count)
    np.testing.assert_array_equal(look.map, IMAGE.max(2) / np.float32(255))
    np.testing.assert_array_equal(total, Fake().average(plan(), IMAGE, 2, 50))


@pytest.mark.parametrize(
    ("chosen", "error", "words"),
    [
        (plan(BROKEN), WorkFailed, "RuntimeError: the network fell over"),
        (plan(CONTRADICTORY), WorkRefused, "target is 2"),
        (plan(model="lost"), ModelUnavailable, "weights of lost are missing"),
        (plan(model="nobody"), WorkRefused, "model 'nobody' is unknown"),
    ],
)
def test_failures_have_their_kind_and_the_worker_survives(chosen, error, words):
    async def story(pool):
        before = (await ready(pool))[0].pid
        with pytest.raises(error, match=words):
            await pool.draw(chosen, IMAGE, 0, 8)
        assert (await pool.draw(plan(), IMAGE, 0, 8)).samples == 8
        return before, (await ready(pool))[0].pid

    before, after = run(story)
    assert before == after


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


@pytest.mark.parametrize("kind", [WorkerPool, LocalPool])
def test_too_little_memory_halves_the_chunk_and_is_remembered(kind):
    """The allocator of the fake worker gives memory for ROOM samples at once, two batches."""

    async def story(pool):
        for samples in (4, 400, 400):
            # Makes the pace known, and with it chunks of many batches.
            await pool.draw(plan(), IMAGE, 0, samples)
        drawn = await pool.draw(plan(LARGE), IMAGE, 0, 400)
        return drawn, pool.pace.batches(plan(LARGE), 10**6)

    if kind is WorkerPool:
        drawn, batches = run(story)
    else:
        drawn, batches = asyncio.run(alone(story))
    assert drawn.digest() == Fake().draw(plan(), IMAGE, 0, 400).digest()
    assert 1 <= batches <= ROOM // 4


async def alone(story):
    """The result of `story(pool)` with a LocalPool of the fake network."""
    pool = LocalPool(fake_worker.desk)
    await pool.start()
    try:
        return await story(pool)
    finally:
        await pool.stop()


def test_a_batch_that_does_not_fit_fails_and_the_worker_goes_on():
    async def story(pool):
        before = (await ready(pool))[0].pid
        with pytest.raises(TooLittleMemory, match="too little memory on fake"):
            await pool.draw(plan(HUGE), IMAGE, 0, 40)
        assert (await pool.draw(plan(), IMAGE, 0, 8)).samples == 8
        return before, (await ready(pool))[0].pid

    before, after = run(story)
    assert before == after


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


def test_a_cancelled_draw_frees_the_worker():
    async def story(pool):
        await ready(pool)
        endless = asyncio.create_task(pool.draw(plan(), IMAGE, 0, 10**9))
        await asyncio.sleep(0.1)
        endless.cancel()
        with pytest.raises(asyncio.CancelledError):
            await endless
        await state(pool, "idle")

    run(story, chunk_seconds=0.02)


def test_a_short_request_does_not_wait_for_a_long_one():
    async def story(pool):
        endless = asyncio.create_task(pool.draw(plan(), IMAGE, 0, 10**9))
        await asyncio.sleep(0.1)
        look = await pool.look("fake", IMAGE, None)
        still = not endless.done()
        endless.cancel()
        return look.target, still

    assert run(story, chunk_seconds=0.02) == (1, True)


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


def test_stop_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(wire.tempfile, "tempdir", str(tmp_path))

    async def story(pool):
        pids = [member.pid for member in await ready(pool, 2)]
        waiting = asyncio.create_task(pool.draw(plan(SLOW), IMAGE, 0, 400))
        await state(pool, "busy")
        assert len(list(tmp_path.iterdir())) == 1
        await pool.stop()
        with pytest.raises(WorkerLost):
            await waiting
        return pids

    pids = run(story, 2)
    assert all(gone(pid, 0.1) for pid in pids)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_pool_refuses_and_starts_again():
    async def story(pool):
        await pool.stop()
        with pytest.raises(WorkerLost, match="not running"):
            await pool.look("fake", IMAGE, None)
        await pool.start()
        return await pool.draw(plan(), IMAGE, 0, 8)

    assert run(story).samples == 8


def test_a_socket_path_that_is_too_long_is_explained(monkeypatch, tmp_path):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(wire.tempfile, "tempdir", str(deep))
    with pytest.raises(OSError, match="set TMPDIR to a shorter folder"):
        wire.Wire()
    assert list(deep.iterdir()) == []


PARENT = """
import asyncio, signal, sys
from service.workers import WorkerPool
from tests.service.fake_worker import IMAGE, SLOW, plan

async def main():
    pool = WorkerPool(1, command={command!r})
    await pool.start()
    try:
        while not (health := await pool.heartbeat()).ready:
            await asyncio.sleep(0.02)
        print(health.workers[0].pid, flush=True)
        await pool.draw(plan(SLOW if {busy} else 0), IMAGE, 0, 4)
        await asyncio.sleep(60)
    finally:
        await pool.stop()

# A shell that starts the tests in the background has them ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.fixture
def parent(tmp_path_factory):
    """Starts a process of its own group that runs a pool; gives it and its worker's pid."""
    started = []
    environment = os.environ | {"TMPDIR": str(tmp_path_factory.mktemp("p"))}

    def start(busy):
        program = PARENT.format(command=COMMAND, busy=busy)
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        started.append(process)
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's")
@pytest.mark.parametrize("busy", [True, False])
def test_a_killed_parent_takes_its_worker_along(parent, busy):
    process, worker = parent(busy)
    process.kill()
    process.wait(10)
    assert gone(worker)


def test_an_interrupt_ends_all_without_a_traceback(parent):
    process, worker = parent(True)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (out, err) == ("interrupted\n", "")
    assert gone(worker, 0.1)


@pytest.mark.parametrize(
    ("device", "gpu", "cores", "expected"),
    [("cpu", True, 6, 6), ("auto", False, 6, 6), ("auto", True, 6, 1), ("cuda:1", False, 6, 1)],
)
def test_workers_fill_the_machine(monkeypatch, tmp_path, device, gpu, cores, expected):
    monkeypatch.setattr(workers, "NVIDIA", tmp_path if gpu else tmp_path / "none")
    monkeypatch.setattr(workers, "_cores", lambda: cores)
    assert workers.default_count(device) == expected


def test_less_than_no_worker_is_refused():
    with pytest.raises(ValueError, match="count is -1"):
        WorkerPool(-1)


def plan_of(model, photo):
    chosen = card(model)
    picture = images.fit(images.decode(photo.read_bytes(), max_pixels=10**6), chosen)
    cell = chosen.defaults.cell
    recipe = Recipe("gaussian", 2, 0.25, "gradient", cell, 16, chosen.lanes, "float32")
    digest = images.digest(picture)
    size = chosen.size
    plan_ = Plan(chosen.name, chosen.weights, digest, size, size, 3, 1, recipe, "5" * 32)
    return plan_, picture


@pytest.mark.parametrize(
    ("model", "photo", "samples"),
    [
        ("digits-tiny", DIGITS[0], 500),
        pytest.param("efficientnet-lite0", bundled_photo(), 20, marks=pytest.mark.slow),
    ],
)
def test_a_network_gives_the_same_bytes_in_process_and_over_two_workers(model, photo, samples):
    plan_, picture = plan_of(model, photo)

    async def story(pool):
        await pool.start()
        try:
            evidence = await pool.draw(plan_, picture, 5, 5 + samples)
            average = await pool.average(plan_, picture, 5, 5 + samples // 2)
            look = await pool.look(plan_.model, picture, None)
            return evidence.digest(), average.tobytes(), look.map.tobytes()
        finally:
            await pool.stop()

    pools = (LocalPool(), WorkerPool(2, chunk_seconds=0.05))
    local, two = (asyncio.run(story(pool)) for pool in pools)
    assert local == two
