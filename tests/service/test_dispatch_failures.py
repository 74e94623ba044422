"""Failures, losses and cancelling among requests that share messages: nobody pays for another."""

import asyncio

import pytest

from service.pool.chunks import Pace
from service.pool.dispatch import Dispatch, message
from service.pool.messages import (
    Draw,
)
from service.pool.pools import TooLittleMemory, WorkFailed, WorkRefused
from service.pool.schedule import MOST_LOSSES
from tests.service.drawings import PICTURE, READY, answer, drawing, samples, sizes, work_off
from tests.service.fake_worker import BROKEN, HUGE, LARGE, ROOM, plan


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
