"""What goes into one message: full batches of several jobs, in whose turn, and how much of them."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lanes import company
from service.pool.chunks import Pace, Work
from service.pool.dispatch import Dispatch, message
from service.pool.messages import (
    MOST_TOGETHER,
    Average,
    Draw,
    Look,
    Together,
)
from service.pool.schedule import QUICK_IN_A_ROW, QUICK_TURNS
from tests.service.drawings import LANES, PICTURE, drawing, sizes, work_off
from tests.service.fake_worker import plan


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
        st.tuples(
            st.integers(1, 70),
            st.integers(0, 9),
            st.sampled_from(["a", "b"]),
            st.sampled_from([Draw, Average]),
        ),
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
    jobs = [drawing(dispatch, n, start, kind=kind, model=model) for n, start, model, kind in asked]
    got = {job: [] for job in jobs}
    while shares := dispatch.next():
        work = Work.of(message(shares))
        assert len({company(share.request.plan) for share in shares}) == 1
        assert len(shares) <= MOST_TOGETHER
        model = work.plan.model
        waits = any(j.waiting for j, (_, _, m, _) in zip(jobs, asked, strict=True) if m == model)
        assert work.samples % LANES == 0 or not waits
        assert all(share.request.stop > share.request.start for share in shares)
        for share in shares:
            got[share.job] += range(share.request.start, share.request.stop)
    for job, (n, start, *_) in zip(jobs, asked, strict=True):
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
        {"kind": Average, "lanes": 4},
        {"kind": Average, "attribution": "grad_cam"},
        {"kind": Look},
    ],
)
def test_who_cannot_share_a_pass_is_not_in_one_message(other):
    dispatch = Dispatch(Pace())
    drawing(dispatch, 3)
    if other.get("kind") is Look:
        dispatch.begin(iter([Look("fake", PICTURE, None)]))
    else:
        drawing(dispatch, 5, **other)
    told = work_off(dispatch)
    assert told[True] == 0 and told[False] >= 2


@pytest.mark.parametrize(
    "other",
    [
        {"target": 1},
        {"scale": 0.5},
        {"cell": 1, "votes": 5},
        {"score": "linear"},
        {"kind": Average},
    ],
)
@pytest.mark.parametrize("kind", [Draw, Average])
def test_what_may_differ_within_a_message(kind, other):
    dispatch = Dispatch(Pace())
    drawing(dispatch, 3, kind=kind)
    drawing(dispatch, 5, **({"kind": kind} | other))
    shares = dispatch.next()
    assert sizes(shares) == [3, 5] and dispatch.next() == ()
    assert message(shares) == Together(tuple(share.request for share in shares))


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
