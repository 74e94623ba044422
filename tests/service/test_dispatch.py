"""What goes into one message: full batches of several jobs, where nobody pays for another."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lanes import company
from service.chunks import Pace, Work, pieces
from service.dispatch import Dispatch, message
from service.messages import (
    MOST_TOGETHER,
    Array,
    Average,
    Draw,
    Drawn,
    DrawnTogether,
    Failure,
    Look,
    Ready,
    Together,
)
from service.pool import TooLittleMemory, WorkFailed, WorkRefused
from service.schedule import MOST_LOSSES, QUICK_IN_A_ROW, QUICK_TURNS
from tests.service.fake_worker import BROKEN, HUGE, IMAGE, LARGE, ROOM, Fake, plan

PICTURE = Array.of(IMAGE)
LANES = 8
READY = Ready(1, "cpu", 1, ())


def drawing(dispatch, samples, start=0, target=0, **recipe):
    """A job of so many samples, cut as the pool cuts them."""
    plan_ = plan(target, lanes=recipe.pop("lanes", LANES), model=recipe.pop("model", "fake"))
    plan_ = replace(plan_, recipe=replace(plan_.recipe, **recipe))
    return dispatch.begin(pieces(Draw, plan_, PICTURE, start, start + samples, dispatch.pace))


def sizes(shares):
    return [share.request.stop - share.request.start for share in shares]


def test_what_a_job_leaves_of_its_last_batch_goes_to_those_who_wait():
    dispatch = Dispatch(Pace())
    jobs = [drawing(dispatch, 20) for _ in range(8)]
    handed = Counter()
    filled = []
    while shares := dispatch.next():
        work = Work.of(message(shares))
        filled.append((work.samples, work.batches))
        for share in shares:
            handed[jobs.index(share.job)] += share.request.stop - share.request.start
    assert filled == [(8, 1)] * 20
    assert handed == dict.fromkeys(range(8), 20)


@settings(max_examples=60, deadline=None)
@given(
    asked=st.lists(
        st.tuples(st.integers(1, 70), st.integers(0, 9), st.sampled_from(["a", "b"])),
        min_size=1,
        max_size=6,
    ),
    rate=st.floats(1, 1000),
    workers=st.integers(1, 3),
)
def test_every_sample_is_handed_out_once_and_no_lane_is_left_while_somebody_waits(
    asked, rate, workers
):
    dispatch = Dispatch(Pace(workers=workers))
    for model in ("a", "b"):
        seen = Draw(plan(lanes=LANES, model=model), PICTURE, 0, 8000)
        dispatch.pace.observe(seen, 8000 / rate)
    jobs = [drawing(dispatch, n, start, model=model) for n, start, model in asked]
    got = {job: [] for job in jobs}
    while shares := dispatch.next():
        work = Work.of(message(shares))
        assert len({company(share.request.plan) for share in shares}) == 1
        assert len(shares) <= MOST_TOGETHER
        model = work.plan.model
        waits = any(j.waiting for j, (_, _, m) in zip(jobs, asked, strict=True) if m == model)
        assert work.samples % LANES == 0 or not waits
        assert all(share.request.stop > share.request.start for share in shares)
        for share in shares:
            got[share.job] += range(share.request.start, share.request.stop)
    for job, (n, start, _) in zip(jobs, asked, strict=True):
        assert got[job] == list(range(start, start + n))


def test_a_ride_is_no_turn():
    """Those who filled lanes of others are as quick as before, and their order is the same."""
    dispatch = Dispatch(Pace())
    order = [drawing(dispatch, 3), drawing(dispatch, 16), drawing(dispatch, 16)]
    first = dispatch.next()
    assert [share.job for share in first] == order[:2] and sizes(first) == [3, 5]
    second = dispatch.next()
    assert second[0].job is order[1] and order[1].quick
    for _ in range(QUICK_TURNS):
        assert order[1].quick
        order[1].ride(1)


def test_a_long_job_has_its_turns_among_small_ones_that_fill_their_batches():
    dispatch = Dispatch(Pace())
    long = drawing(dispatch, 8000)
    for _ in range(QUICK_TURNS):
        dispatch.next()
    for _ in range(12):
        drawing(dispatch, 20)
    turns = [dispatch.next()[0].job is long for _ in range(3 * (QUICK_IN_A_ROW + 1))]
    assert turns == ([False] * QUICK_IN_A_ROW + [True]) * 3


@pytest.mark.parametrize(
    "other",
    [
        {"model": "another"},
        {"lanes": 4},
        {"attribution": "grad_cam"},
        {"kind": Average},
        {"kind": Look},
    ],
)
def test_who_cannot_share_a_pass_is_not_in_one_message(other):
    dispatch = Dispatch(Pace())
    kind = other.pop("kind", None)
    drawing(dispatch, 3)
    if kind is Look:
        dispatch.begin(iter([Look("fake", PICTURE, None)]))
    elif kind is Average:
        dispatch.begin(iter([Average(plan(lanes=LANES), PICTURE, 0, 5)]))
    else:
        drawing(dispatch, 5, **other)
    told = work_off(dispatch)
    assert told[True] == 0 and told[False] >= 2


@pytest.mark.parametrize(
    "other",
    [{"target": 1}, {"scale": 0.5}, {"cell": 1, "votes": 5}, {"score": "linear"}],
)
def test_what_may_differ_within_a_message(other):
    dispatch = Dispatch(Pace())
    drawing(dispatch, 3)
    drawing(dispatch, 5, **other)
    shares = dispatch.next()
    assert sizes(shares) == [3, 5] and dispatch.next() == ()
    assert message(shares) == Together(tuple(share.request for share in shares))


def answer(request):
    """What a worker with the fake network says."""
    try:
        if isinstance(request, Together):
            return DrawnTogether(tuple(map(drawn, request.draws)))
        return drawn(request) if isinstance(request, Draw) else READY
    except ValueError as error:
        return Failure("refused", str(error))
    except RuntimeError as error:
        return Failure("memory" if "memory" in str(error) else "error", str(error))


def drawn(draw):
    return Drawn.of(Fake().draw(draw.plan, IMAGE, draw.start, draw.stop))


def work_off(dispatch, most=100):
    """Answer everything; how many messages were of several draws, and how many of one."""
    told = Counter()
    while most and (shares := dispatch.next()):
        dispatch.answered(shares, answer(message(shares)), "worker")
        told[len(shares) > 1] += 1
        most -= 1
    return told


async def samples(job):
    """How many samples a job's caller gets."""
    total = 0
    while not job.finished:
        _, reply = await job.read()
        total += reply.evidence().samples
    return total


@pytest.mark.parametrize(
    ("guilty", "error"), [(BROKEN, WorkFailed), (2, WorkRefused), (HUGE, TooLittleMemory)]
)
def test_a_request_that_fails_among_others_fails_alone(guilty, error):
    async def story():
        dispatch = Dispatch(Pace())
        jobs = [drawing(dispatch, 3), drawing(dispatch, 3, target=guilty), drawing(dispatch, 13)]
        told = work_off(dispatch)
        with pytest.raises(error):
            await samples(jobs[1])
        return await samples(jobs[0]), await samples(jobs[2]), told

    first, last, told = asyncio.run(story())
    assert (first, last) == (3, 13) and told[True] >= 1


def test_memory_that_does_not_suffice_for_a_chunk_of_several_halves_that_of_the_one():
    async def story():
        dispatch = Dispatch(Pace())
        dispatch.pace.observe(Draw(plan(lanes=4), PICTURE, 0, 4000), 4.0)
        large = drawing(dispatch, 30, target=LARGE, lanes=4)
        small = drawing(dispatch, 2, lanes=4)
        shares = dispatch.next()
        assert sizes(shares) == [30, 2]
        dispatch.answered(shares, answer(message(shares)), "worker")
        work_off(dispatch)
        most = dispatch.pace.batches(plan(LARGE), 10**6)
        return await samples(large), await samples(small), most

    assert asyncio.run(story())[:2] == (30, 2)
    assert asyncio.run(story())[2] * 4 <= ROOM


def test_a_request_that_costs_its_worker_takes_nobody_along():
    """The one that kills is given up; those whom it travelled with lose nothing."""

    async def story():
        dispatch, gone = Dispatch(Pace()), WorkFailed("gone")
        jobs = [drawing(dispatch, 3), drawing(dispatch, 40, target=1), drawing(dispatch, 13)]
        losses = 0
        while shares := dispatch.next():
            if any(share.job is jobs[1] for share in shares):
                dispatch.lost(shares, gone)
                losses += 1
            else:
                dispatch.answered(shares, answer(message(shares)), "worker")
        with pytest.raises(WorkFailed, match="gone"):
            await samples(jobs[1])
        return losses, await samples(jobs[0]), await samples(jobs[2])

    assert asyncio.run(story()) == (MOST_LOSSES, 3, 13)


def test_a_worker_that_is_lost_counts_once_for_a_job_with_several_draws_in_its_message():
    async def story():
        dispatch = Dispatch(Pace())
        drawing(dispatch, 3)
        job = drawing(dispatch, 24)
        work_off(dispatch, 1)
        shares = dispatch.next()
        assert [share.job for share in shares] == [job, job] and sizes(shares) == [3, 5]
        for _ in range(MOST_LOSSES - 1):
            dispatch.lost(shares, WorkFailed("gone"))
            shares = dispatch.next()
        dispatch.answered(shares, answer(message(shares)), "w")
        work_off(dispatch)
        return await samples(job)

    assert asyncio.run(story()) == 24


def test_who_is_cancelled_leaves_the_message_of_the_others_as_it_is():
    async def story():
        dispatch = Dispatch(Pace())
        jobs = [drawing(dispatch, 3), drawing(dispatch, 5), drawing(dispatch, 9)]
        shares = dispatch.next()
        dispatch.end(jobs[1])
        assert jobs[1] not in [share.job for share in dispatch.next()]
        dispatch.answered(shares, answer(message(shares)), "worker")
        return sizes(shares), await jobs[0].read()

    (first, second), (_, reply) = asyncio.run(story())
    assert (first, second) == (3, 5) and reply.evidence().samples == 3


def test_who_is_cancelled_in_the_middle_of_a_request_hands_out_no_rest_of_it():
    dispatch = Dispatch(Pace())
    drawing(dispatch, 3)
    long = drawing(dispatch, 80)
    assert sizes(dispatch.next()) == [3, 5] and long.waiting
    dispatch.end(long)
    assert not long.waiting and dispatch.next() == ()


def test_an_answer_to_something_else_is_none():
    dispatch = Dispatch(Pace())
    drawing(dispatch, 3)
    drawing(dispatch, 5)
    shares = dispatch.next()
    dispatch.answered(shares, READY, "worker")
    assert [len(dispatch.next()) for _ in range(3)] == [1, 1, 0]


def test_strict_requests_have_no_lane_to_give():
    dispatch = Dispatch(Pace())
    drawing(dispatch, 3, lanes=1)
    drawing(dispatch, 3, lanes=1)
    assert [len(dispatch.next()) for _ in range(7)] == [1] * 6 + [0]


def elapsed(speeds, total, chunk_seconds):
    """Seconds until workers of these speeds, in samples a second, have drawn it all, if each gets
    its next message when it has answered the last."""
    dispatch = Dispatch(Pace(chunk_seconds, len(speeds)))
    drawing(dispatch, total)
    now = dict.fromkeys(range(len(speeds)), 0.0)
    counts = Counter()
    while True:
        worker = min(now, key=now.__getitem__)
        if not (shares := dispatch.next()):
            return max(now.values()), counts
        work = Work.of(message(shares))
        seconds = work.batches * LANES / speeds[worker]
        dispatch.pace.observe(message(shares), seconds)
        now[worker] += seconds
        counts[worker] += work.samples


@pytest.mark.parametrize("speeds", [(100, 10), (100, 100), (100, 50, 10), (100,)])
def test_a_fast_worker_does_not_wait_for_a_slow_one(speeds):
    """All are done within two chunks, or batches, of the slowest after the earliest possible."""
    total, chunk = 2000, 0.5
    seconds, counts = elapsed(speeds, total, chunk)
    longest = max(LANES / min(speeds), chunk * max(speeds) / min(speeds))
    assert seconds <= total / sum(speeds) + 2 * longest
    assert counts.total() == total
    for worker, speed in enumerate(speeds):
        assert counts[worker] == pytest.approx(total * speed / sum(speeds), rel=0.35)
