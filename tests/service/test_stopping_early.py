"""Stopping early: the same request ends at the same sample, however the work is cut and by whom."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from certify.document import dumps
from certify.evidence import Evidence
from certify.plan import Plan
from certify.stopping import checkpoints, favourable
from certify.verify import verify
from service import pipeline
from service.orders import certify_order
from service.pool.pools import LocalPool, Pool
from service.pool.workers import WorkerPool
from service.results import Progress
from service.settings import Settings

FIELDS = {"model": "digits-tiny", "samples": 1000, "key": "00112233445566778899aabbccddeeff"}
CLAIM = {"overlap": 0.5, "radius": 0.05}
HOPELESS = {"overlap": 1.0, "radius": 0.55, "samples": 1500}


async def steps(
    pool: Pool, picture: bytes, fields: dict[str, Any]
) -> list[Progress | pipeline.Certified]:
    order = certify_order(FIELDS | fields, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)
    await pool.start()
    try:
        return [step async for step in pipeline.certify(pool, order, subject, proofs=True)]
    finally:
        await pool.stop()


def certified(pool: Pool, picture: bytes, **fields: Any) -> pipeline.Certified:
    done = asyncio.run(steps(pool, picture, fields))[-1]
    assert isinstance(done, pipeline.Certified)
    return done


def lasting(done: pipeline.Certified) -> bytes:
    """The document's bytes without time and identifier."""
    document = dict(done.document)
    del document["issued"], document["identifier"]
    return dumps(document)


def test_sampling_stops_at_the_first_checkpoint_that_proves_the_claim(
    picture: bytes, pool: Any
) -> None:
    done = certified(pool, picture, **CLAIM)
    drawn = done.evidence.samples
    assert done.ending is not None and done.ending.reason == "proven"
    assert drawn in checkpoints(1000) and drawn < 1000
    assert done.certificate.radius_for(8) >= 0.05
    sooner = [at for at in checkpoints(1000) if at < drawn]
    for samples in sooner:
        before = certified(pool, picture, overlap=0.5, samples=samples)
        assert before.certificate.radius_for(8) < 0.05
    assert done.evidence.ranges == ((0, drawn),)
    assert done.document["question"]["samples"] == 1000
    assert done.document["asked"] == {**CLAIM, "stop": "proven"}
    assert verify(dumps(done.document)).holds


@pytest.mark.parametrize(
    "fields",
    [{"stop": "never"}, {"confidence": "fixed"}],
    ids=str,
)
def test_whoever_asks_for_all_samples_gets_them(
    picture: bytes, pool: Any, fields: dict[str, Any]
) -> None:
    done = certified(pool, picture, **CLAIM, **fields)
    assert done.evidence.samples == 1000 and done.ending is None
    assert done.document["asked"]["stop"] == "never"


def test_a_curve_or_half_a_claim_is_never_cut_short(picture: bytes, pool: Any) -> None:
    for fields in ({}, {"overlap": 0.5}, {"radius": 0.05}):
        assert certified(pool, picture, **fields).evidence.samples == 1000


def test_a_hopeless_claim_is_given_up_with_its_numbers(
    picture: bytes, pool: Any, client: Any
) -> None:
    done = certified(pool, picture, **HOPELESS)
    drawn, ending = done.evidence.samples, done.ending
    assert ending is not None and ending.reason == "futile" and drawn < 1500
    best = favourable(done.plan, done.evidence, done.order.question)
    assert best is not None and best.radius_for(16) == ending.could_radius < 0.55
    answer = client.certify(picture, **FIELDS | HOPELESS).json()
    assert answer["ended"] == {
        "reason": "futile",
        "samples": drawn,
        "budget": 1500,
        "could_keep": best.at_least_within(0.55),
        "could_radius": ending.could_radius,
    }
    assert answer["answer"]["proven"] is False and answer["answer"]["wanted"] == 16
    assert any(
        f"in the remaining {1500 - drawn} would not prove" in line for line in answer["summary"]
    )
    assert verify(dumps(answer["certificate"])).holds


@pytest.mark.parametrize("part", [1, 7, 63, 64, 65, 1000])
def test_parts_of_any_size_in_any_order_end_at_the_same_sample(
    picture: bytes, pool: Any, part: int
) -> None:
    class Backwards(type(pool)):  # type: ignore[misc]
        async def draw_parts(
            self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
        ) -> AsyncGenerator[Evidence, None]:
            found = [each async for each in super().draw_parts(plan, image, start, stop)]
            for each in reversed(found):
                yield each

    assert lasting(certified(Backwards(part=part), picture, **CLAIM)) == lasting(
        certified(pool, picture, **CLAIM)
    )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda: LocalPool(device="cpu", chunk_seconds=0.001), id="small chunks"),
        pytest.param(lambda: WorkerPool(2, device="cpu", chunk_seconds=0.01), id="two workers"),
    ],
)
def test_live_pools_end_at_the_same_sample_with_the_same_bytes(
    picture: bytes, other: Callable[[], Pool]
) -> None:
    fields = {"overlap": 0.4, "radius": 0.01, "strict": True}
    first = certified(LocalPool(device="cpu"), picture, **fields)
    assert first.ending is not None and first.evidence.samples < 1000
    assert lasting(certified(other(), picture, **fields)) == lasting(first)


def test_progress_says_when_the_claim_is_proven(picture: bytes, pool: Any) -> None:
    seen = asyncio.run(steps(pool, picture, dict(CLAIM)))
    told = [step.proven for step in seen if isinstance(step, Progress)]
    assert told[-1] is True and not any(told[:-1])
    assert {step.total for step in seen if isinstance(step, Progress)} == {1000}


def test_no_sample_beyond_the_stopping_place_is_drawn(picture: bytes, pool: Any) -> None:
    asked: list[tuple[int, int]] = []

    class Watched(type(pool)):  # type: ignore[misc]
        async def draw_parts(
            self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
        ) -> AsyncGenerator[Evidence, None]:
            asked.append((start, stop))
            async for part in super().draw_parts(plan, image, start, stop):
                yield part

    done = certified(Watched(), picture, **CLAIM)
    stops = checkpoints(1000)[: len(asked)]
    assert asked == list(zip((0, *stops), stops, strict=False))
    assert stops[-1] == done.evidence.samples


def test_events_tell_of_the_end(picture: bytes, client: Any, parse_events: Any) -> None:
    response = client.certify(picture, "text/event-stream", **FIELDS | CLAIM)
    events = parse_events(response.text)
    assert events[-2][1]["proven"] is True and events[-1][0] == "result"
    assert events[-1][1]["ended"]["reason"] == "proven"
    assert events[-1][1]["answer"] == {
        "asked": "claim",
        "k": 16,
        "at_least": events[-1][1]["answer"]["at_least"],
        "radius": 0.05,
        "wanted": 8,
        "proven": True,
    }
