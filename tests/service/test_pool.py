"""The pool in this process: the sampler's own answers, a free event loop, clean failures."""

import asyncio
import time
from contextlib import aclosing

import numpy as np
import pytest

from certify.evidence import Evidence
from service.pool.desk import Desk
from service.pool.pools import LocalPool, WorkerLost, WorkFailed, WorkRefused
from tests.service import fake_worker
from tests.service.fake_worker import BROKEN, CONTRADICTORY, IMAGE, Fake, plan


def run(story, pool=None):
    """The result of `story(pool)` with the pool running."""

    async def whole():
        running = pool or LocalPool(fake_worker.desk)
        await running.start()
        try:
            return await story(running)
        finally:
            await running.stop()

    return asyncio.run(whole())


def test_draws_what_the_sampler_draws():
    drawn = run(lambda pool: pool.draw(plan(), IMAGE, 3, 203))
    assert drawn.ranges == ((3, 203),)
    assert drawn.digest() == Fake().draw(plan(), IMAGE, 3, 203).digest()


def test_parts_make_the_whole_in_pieces_of_about_the_asked_time():
    async def story(pool):
        async with aclosing(pool.draw_parts(plan(), IMAGE, 0, 203)) as parts:
            return [part async for part in parts]

    parts = run(story, LocalPool(fake_worker.desk, chunk_seconds=0.02))
    whole = Evidence.empty(6)
    for part in reversed(parts):
        whole = whole.merge(part)
    assert whole.digest() == Fake().draw(plan(), IMAGE, 0, 203).digest()
    assert len(parts) >= 203 / 40


def test_average_is_the_sum_over_all_samples():
    total = run(lambda pool: pool.average(plan(), IMAGE, 2, 50))
    np.testing.assert_array_equal(total, Fake().average(plan(), IMAGE, 2, 50))


def test_nothing_to_draw_is_empty_evidence():
    assert run(lambda pool: pool.draw(plan(), IMAGE, 5, 5)).samples == 0


@pytest.mark.parametrize(("target", "expected"), [(None, 1), (0, 0)])
def test_look_finds_or_keeps_the_target(target, expected):
    look = run(lambda pool: pool.look("fake", IMAGE, target))
    assert look.target == expected
    np.testing.assert_array_equal(look.probabilities, np.float32([0.25, 0.75]))
    np.testing.assert_array_equal(look.map, IMAGE.max(2) / np.float32(255))


@pytest.mark.parametrize(
    ("chosen", "error", "words"),
    [
        (plan(BROKEN), WorkFailed, "RuntimeError: the network fell over"),
        (plan(CONTRADICTORY), WorkRefused, "target is 2; it must be a class index below 2"),
        (plan(model="nobody"), WorkRefused, "model 'nobody' is unknown; known are fake"),
    ],
)
def test_failures_have_their_kind_and_the_pool_goes_on(chosen, error, words, capfd):
    async def story(pool):
        with pytest.raises(error, match=words):
            await pool.draw(chosen, IMAGE, 0, 8)
        return await pool.draw(plan(), IMAGE, 0, 8)

    assert run(story).samples == 8
    assert ("Traceback" in capfd.readouterr().err) == (error is WorkFailed)


def test_the_event_loop_stays_free():
    async def story(pool):
        drawing = asyncio.create_task(pool.draw(plan(), IMAGE, 0, 200))
        turns = 0
        while not drawing.done():
            turns += 1
            await asyncio.sleep(0.005)
        return turns

    assert run(story) > 5


def test_an_abandoned_draw_computes_no_further():
    drawn = []

    class Counting(Fake):
        def draw(self, plan, image, start, stop):
            drawn.append((start, stop))
            return super().draw(plan, image, start, stop)

    async def story(pool):
        async with aclosing(pool.draw_parts(plan(), IMAGE, 0, 10_000)) as parts:
            async for _ in parts:
                break
        await pool.look("fake", IMAGE, None)

    run(story, LocalPool(lambda: Desk(lambda _: Counting(), device="fake", threads=1)))
    assert drawn == [(0, 4)]


def test_heartbeat_goes_through_the_thread():
    async def story(pool):
        well = await pool.heartbeat()
        hanging = asyncio.create_task(pool.draw(plan(), IMAGE, 0, 1500))
        await asyncio.sleep(0.1)
        hung = await pool.heartbeat()
        await hanging
        return well, hung, await pool.heartbeat()

    pool = LocalPool(fake_worker.desk, heartbeat_seconds=0.4, chunk_seconds=60)
    well, hung, again = run(story, pool)
    assert (well.ready, hung.ready, again.ready) == (True, False, True)
    assert hung.detail == "no answer within 0.4 s"


def test_a_pool_that_is_not_running_says_so():
    with pytest.raises(WorkerLost, match="not running"):
        asyncio.run(LocalPool(fake_worker.desk).look("fake", IMAGE, None))


def test_nothing_is_loaded_before_the_first_request():
    opened = []

    def open_desk():
        opened.append(time.monotonic())
        return fake_worker.desk()

    async def story(pool):
        await asyncio.sleep(0)
        before = len(opened)
        await pool.look("fake", IMAGE, None)
        await pool.look("fake", IMAGE, None)
        return before, len(opened)

    assert run(story, LocalPool(open_desk)) == (0, 1)
