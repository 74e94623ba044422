"""Work that was broken off goes on from its evidence, to the same bytes."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from certify.document import dumps
from certify.evidence import Evidence
from certify.plan import Plan
from service import pipeline
from service.jobs.record import accepted
from service.jobs.running import Running
from service.orders import certify_order
from service.pipeline import Issue, Notes
from service.remaining import gaps, legs, legs_left
from service.results import Progress
from service.settings import Settings

FIELDS = {"model": "digits-tiny", "samples": 700, "key": "00112233445566778899aabbccddeeff"}
CLAIM = {"overlap": 0.5, "radius": 0.05}


@given(present=st.lists(st.booleans(), max_size=40), stop=st.integers(0, 50))
def test_gaps_are_what_the_evidence_lacks(present: list[bool], stop: int) -> None:
    evidence = Evidence.empty(4)
    for sample in (index for index, there in enumerate(present) if there):
        votes = np.zeros((1, 4), dtype=bool)
        evidence = evidence.merge(Evidence.from_votes(sample, votes, np.zeros(1, np.int32)))
    lacking = [index for first, last in gaps(evidence, stop) for index in range(first, last)]
    assert lacking == [i for i in range(stop) if i >= len(present) or not present[i]]


@pytest.mark.parametrize("fields", [{}, CLAIM], ids=["all samples", "a claim, stops early"])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_work_broken_off_anywhere_ends_in_the_same_bytes(
    picture: bytes, pool: Any, fields: dict[str, Any], after: int
) -> None:
    order = certify_order(FIELDS | fields, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)
    issue = Issue.fresh()
    parts: list[Evidence] = []

    class Elsewhere(type(pool)):  # type: ignore[misc]
        async def draw_parts(
            self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
        ) -> AsyncGenerator[Evidence, None]:
            drawn = [part async for part in super().draw_parts(plan, image, start, stop)]
            for part in reversed(drawn):
                parts.append(part)
                yield part

    async def run(pool: Any, notes: Notes, most: int) -> Any:
        seen: list[Any] = []
        steps = pipeline.certify(pool, order, subject, proofs=True, notes=notes)
        async for step in steps:
            seen.append(step)
            if len(seen) == most:
                await steps.aclose()
        return seen[-1]

    whole = asyncio.run(run(pool, Notes(issue), 10**6))
    # Parts of 40 backwards: what was kept has a gap in front unless a leg had just ended.
    asyncio.run(run(Elsewhere(part=40), Notes(issue), after))
    kept = Evidence.empty(whole.plan.features)
    for part in parts[:after]:
        kept = kept.merge(part)
    again = asyncio.run(run(pool, Notes(issue, kept), 10**6))
    assert isinstance(again, pipeline.Certified) and kept.samples
    assert dumps(again.document) == dumps(whole.document)
    assert again.ending == whole.ending


def test_a_leg_that_was_drawn_to_its_end_is_judged_before_more_is_drawn(
    picture: bytes, pool: Any
) -> None:
    order = certify_order(FIELDS | CLAIM, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)

    async def run(evidence: Evidence | None) -> list[Any]:
        notes = Notes(Issue.fresh(), evidence)
        steps = pipeline.certify(pool, order, subject, proofs=True, notes=notes)
        return [step async for step in steps]

    whole = asyncio.run(run(None))[-1]
    assert whole.ending.reason == "proven" and whole.evidence.samples < 700
    pool.calls.clear()
    *progress, done = asyncio.run(run(whole.evidence))
    assert "draw" not in pool.calls
    assert [step.samples for step in progress] == [whole.evidence.samples]
    assert done.document["evidence"] == whole.document["evidence"]


def test_legs_that_were_passed_are_not_looked_at_again() -> None:
    order = certify_order(FIELDS | CLAIM, False, Settings())
    evidence = Evidence.from_votes(64, np.zeros((70, 4), bool), np.zeros(70, np.int32))
    assert legs(order)[:4] == (64, 128, 192, 256)
    assert legs_left(order, Evidence.empty(4)) == legs(order)
    assert legs_left(order, evidence)[0] == 192


def test_progress_says_how_long_it_takes_and_carries_the_certificate_so_far(
    picture: bytes, pool: Any
) -> None:
    order = certify_order(FIELDS, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)

    async def watch() -> list[Progress]:
        steps = pipeline.certify(pool, order, subject, proofs=True)
        return [step async for step in steps if isinstance(step, Progress)]

    first, second, *_, last = asyncio.run(watch())
    assert first.seconds_left is None and second.seconds_left is not None
    assert last.seconds_left == 0
    assert last.samples == 700 and last.proven_samples == 576
    assert max(spot.radius for spot in last.curve) > 0
    kept = [spot.at_least for spot in last.curve]
    assert kept == sorted(kept, reverse=True)


def test_nothing_is_proven_on_the_way_before_somebody_looks(picture: bytes, pool: Any) -> None:
    order = certify_order(FIELDS, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)

    async def watch(looked: int) -> list[tuple[int, int | None]]:
        seen: list[tuple[int, int | None]] = []

        def wanted() -> bool:
            return bool(seen) and seen[-1][0] >= looked

        async for step in pipeline.certify(pool, order, subject, proofs=wanted):
            if isinstance(step, Progress):
                seen.append((step.samples, step.proven_samples))
        return seen

    from_the_middle, never = asyncio.run(watch(300)), asyncio.run(watch(10**9))
    proven = [at for _, at in from_the_middle if at is not None]
    assert proven and min(proven) > 300 and max(proven) < 700
    assert all(at is None for _, at in never)


def test_a_job_is_watched_from_the_first_look_at_it(picture: bytes) -> None:
    order = certify_order(FIELDS, False, Settings())
    record = accepted(order, pipeline.receive(picture, order.card, 10**6), "", None)

    async def story() -> list[bool]:
        running, heard = Running(record, kept=False), Running(record, kept=False)
        before = running.is_watched() or heard.is_watched()
        running.look()
        await heard.news(0)
        return [before, running.is_watched(), heard.is_watched()]

    assert asyncio.run(story()) == [False, True, True]
