"""Turns and cuts: who is next, and where work is divided."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.pool.chunks import Pace, pieces
from service.pool.messages import Array, Draw, Ping, Ready
from service.pool.schedule import MOST_LOSSES, QUICK_IN_A_ROW, QUICK_TURNS, Job, Schedule
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
    order = takes(schedule, 2)
    schedule.add(late)
    while turn := schedule.take():
        order.append(turn.request.start)
    assert order == [0, 10, 1, 20, 2, 21, 3, 4]


def takes(schedule, count):
    """Starts of the next requests handed out."""
    return [schedule.take().request.start for _ in range(count)]


def test_a_job_of_many_turns_lets_newcomers_go_first():
    schedule = Schedule()
    schedule.add(job(*range(100)))
    assert takes(schedule, QUICK_TURNS + 2) == list(range(QUICK_TURNS + 2))
    schedule.add(job(200, 201))
    schedule.add(job(300))
    assert takes(schedule, 4) == [200, 300, 201, QUICK_TURNS + 2]


def test_however_many_newcomers_a_long_job_has_its_turn():
    schedule = Schedule()
    schedule.add(job(*range(100)))
    takes(schedule, QUICK_TURNS)
    for number in range(8):
        schedule.add(job(1000 + number))
    taken = takes(schedule, 10)
    assert taken[QUICK_IN_A_ROW] == QUICK_TURNS
    assert taken[2 * QUICK_IN_A_ROW + 1] == QUICK_TURNS + 1
    assert [start for start in taken if start >= 1000] == list(range(1000, 1008))


def test_long_jobs_take_turns_among_themselves():
    schedule = Schedule()
    schedule.add(job(*range(100)))
    schedule.add(job(*range(1000, 1100)))
    takes(schedule, 2 * QUICK_TURNS)
    assert takes(schedule, 4) == [4, 1004, 5, 1005]


def test_what_came_back_goes_first_and_may_come_back_as_halves():
    async def story():
        schedule, one = Schedule(), job(0, 1)
        schedule.add(one)
        schedule.take()
        halves = [Draw(plan(), PICTURE, 10, 11), Draw(plan(), PICTURE, 11, 12)]
        one.give_back(*halves)
        schedule.add(one)
        order = [schedule.take().request for _ in range(3)]
        for request in order:
            one.settle(request, READY)
            await one.read()
        return [request.start for request in order], one.finished

    assert asyncio.run(story()) == ([10, 11, 1], True)


def test_a_request_that_costs_too_many_workers_in_a_row_fails_its_job():
    async def story():
        one, lost = job(0, 1), RuntimeError("lost")
        for _ in range(MOST_LOSSES - 1):
            one.lose([one.take().request], lost)
        one.settle(one.take().request, READY)
        await one.read()
        for _ in range(MOST_LOSSES):
            assert one.waiting
            one.lose([one.take().request], lost)
        with pytest.raises(RuntimeError, match="lost"):
            await one.read()
        return one.waiting

    assert asyncio.run(story()) is False


def test_what_comes_back_to_a_job_that_nobody_waits_for_stays_away():
    schedule, one = Schedule(), job(0, 1)
    schedule.add(one)
    request = schedule.take().request
    schedule.drop(one)
    one.lose([request], RuntimeError("lost"))
    schedule.add(one)
    assert schedule.take() is None


@given(start=st.integers(0, 100), length=st.integers(1, 300), lanes=st.integers(1, 32))
def test_halves_are_the_same_samples_cut_at_the_lanes(start, length, lanes):
    pace, plan_ = Pace(), plan(lanes=lanes)
    pace.observe(Draw(plan_, PICTURE, 0, 10**6), 0.001)
    request = Draw(plan_, PICTURE, start, start + length)
    batches = -(-(start + length) // lanes) - start // lanes
    halves = pace.halve(request)
    if batches < 2:
        assert halves == ()
        return
    assert len(halves) == 2 + batches % 2
    assert (halves[0].start, halves[-1].stop) == (start, start + length)
    for one, other in pairwise(halves):
        assert one.stop == other.start and one.stop % lanes == 0
    assert pace.batches(plan_, 10**6) == batches // 2
    assert pace.batches(plan(lanes=lanes, model="other"), 10**6) == 1
    assert all(pace.recut(half) == () for half in halves)
    longer = Draw(plan_, PICTURE, start, start + 2 * length)
    assert max(r.stop - r.start for r in pace.recut(longer)) <= batches // 2 * lanes


def test_one_batch_and_a_look_cannot_be_halved():
    pace = Pace()
    assert pace.halve(Draw(plan(lanes=4), PICTURE, 4, 8)) == ()
    assert pace.halve(Ping()) == ()


def test_a_dropped_job_gets_no_more_turns():
    schedule = Schedule()
    gone, stays = job(0, 1, 2), job(10, 11)
    schedule.add(gone)
    schedule.add(stays)
    assert schedule.take().job is gone
    schedule.drop(gone)
    schedule.drop(gone)
    assert [schedule.take().request.start for _ in range(2)] == [10, 11]
    assert schedule.take() is None


def test_a_job_is_finished_when_everything_is_read():
    async def story():
        one = job(0, 1)
        first, second = one.take().request, one.take().request
        one.settle(second, READY)
        one.settle(first, READY)
        read = [(await one.read())[0].start, (await one.read())[0].start]
        return read, one.finished

    assert asyncio.run(story()) == ([1, 0], True)


def test_a_failed_job_says_so_next_and_hands_out_nothing():
    async def story():
        one = job(0, 1, 2)
        one.settle(one.take().request, READY)
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
    pace.observe(Draw(plan_, PICTURE, 0, 1000 * lanes), 1000 * lanes / rate)
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
