"""Turns and cuts: who is next, and where work is divided."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.chunks import Pace, pieces
from service.messages import Array, Draw, Ping, Ready
from service.schedule import Job, Schedule
from tests.service.fake_worker import IMAGE, plan

PICTURE = Array.of(IMAGE)
READY = Ready(1, "cpu", 1, ())


def job(*starts):
    return Job(Draw(plan(), PICTURE, start, start + 1) for start in starts)


def test_jobs_take_turns_however_long_they_are():
    schedule = Schedule()
    long, short, late = job(0, 1, 2, 3, 4), job(10), job(20, 21)
    schedule.add(long)
    schedule.add(short)
    order = [schedule.take()[1].start for _ in range(2)]
    schedule.add(late)
    while turn := schedule.take():
        order.append(turn[1].start)
    assert order == [0, 10, 1, 20, 2, 21, 3, 4]


def test_a_dropped_job_gets_no_more_turns():
    schedule = Schedule()
    gone, stays = job(0, 1, 2), job(10, 11)
    schedule.add(gone)
    schedule.add(stays)
    assert schedule.take()[0] is gone
    schedule.drop(gone)
    schedule.drop(gone)
    assert [schedule.take()[1].start for _ in range(2)] == [10, 11]
    assert schedule.take() is None


def test_a_job_is_finished_when_everything_is_read():
    async def story():
        one = job(0, 1)
        first, second = one.take(), one.take()
        one.settle(second, READY)
        one.settle(first, READY)
        read = [(await one.read())[0].start, (await one.read())[0].start]
        return read, one.finished

    assert asyncio.run(story()) == ([1, 0], True)


def test_a_failed_job_says_so_next_and_hands_out_nothing():
    async def story():
        one = job(0, 1, 2)
        one.settle(one.take(), READY)
        one.take()
        one.fail(RuntimeError("lost"))
        assert not one.waiting
        with pytest.raises(RuntimeError, match="lost"):
            await one.read()
        with pytest.raises(LookupError):
            one.take()

    asyncio.run(story())


@given(
    start=st.integers(0, 100),
    length=st.integers(1, 300),
    lanes=st.integers(1, 32),
    rate=st.floats(0.1, 1e4),
    workers=st.integers(1, 4),
)
def test_pieces_cover_the_range_once_and_end_at_multiples_of_the_lanes(
    start, length, lanes, rate, workers
):
    pace = Pace(1.0, workers)
    plan_ = plan(lanes=lanes)
    pace.observe(Draw(plan_, PICTURE, 0, 1000), 1000 / rate)
    cut = [
        (piece.start, piece.stop)
        for piece in pieces(Draw, plan_, PICTURE, start, start + length, pace)
    ]
    assert cut[0][0] == start and cut[-1][1] == start + length
    assert all(a[1] == b[0] for a, b in pairwise(cut))
    assert all(stop % lanes == 0 for _, stop in cut[:-1])
    longest = max(lanes, min(rate, length / workers + lanes))
    assert all(b - a <= longest for a, b in cut)


def test_pace_is_learned_from_samples_alone():
    pace, plan_ = Pace(2.0), plan(lanes=4)
    assert pace.batches(plan_, 1000) == 1
    pace.observe(Ping(), 1.0)
    assert pace.batches(plan_, 1000) == 1
    pace.observe(Draw(plan_, PICTURE, 0, 40), 1.0)
    assert pace.batches(plan_, 1000) == 20
    pace.observe(Draw(plan_, PICTURE, 0, 20), 1.0)
    assert pace.batches(plan_, 1000) == 15
    assert pace.batches(plan_, 10) == 3
