"""The pool of worker processes, with real processes: work shared, cut and cancelled."""

import asyncio
import os
import signal
from contextlib import aclosing

import numpy as np
import pytest

from certify.plan import Plan, Recipe
from models import images
from models.registry import card
from service.pool import workers
from service.pool.pools import (
    LocalPool,
    ModelUnavailable,
    TooLittleMemory,
    WorkFailed,
    WorkRefused,
)
from service.pool.workers import Limits, WorkerPool
from service.settings import bundled_photo
from tests.service import fake_worker
from tests.service.fake_worker import (
    BROKEN,
    CONTRADICTORY,
    GOOD,
    HUGE,
    IMAGE,
    LARGE,
    ROOM,
    SLOW,
    Fake,
    plan,
)
from tests.service.pools import DIGITS, ready, run, state

pytestmark = pytest.mark.usefixtures("importable")


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


def test_a_reserve_looks_while_the_others_draw_and_draws_nothing():
    async def story(pool):
        await ready(pool, 2)
        draws = [asyncio.create_task(pool.draw(plan(t), IMAGE, 0, 8)) for t in (SLOW, GOOD)]
        await state(pool, "busy")
        looks = [await pool.look("fake", IMAGE, None) for _ in range(8)]
        states = [member.state for member in (await pool.heartbeat()).workers]
        drawn = [draw.done() for draw in draws]
        for draw in draws:
            draw.cancel()
        return len(looks), states, drawn

    assert run(story, 1, reserve=1) == (8, ["busy", "idle"], [False, False])


def test_a_reserve_alone_is_not_ready():
    async def story(pool):
        worker, _ = await ready(pool, 2)
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            return await pool.heartbeat()
        finally:
            os.kill(worker.pid, signal.SIGCONT)

    found = run(story, 1, reserve=1, limits=Limits(heartbeat=0.2))
    assert not found.ready and found.workers[0].state == "silent"


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
