"""The pipeline: the same bytes however the work is cut, and progress that is already proven."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from certify.document import dumps
from certify.evidence import Evidence
from certify.plan import Plan
from certify.verify import verify
from service import pipeline
from service.orders import certify_order, explain_order
from service.pool.pools import LocalPool, Pool
from service.pool.workers import WorkerPool
from service.results import Progress
from service.settings import Settings

FIELDS = {"model": "digits-tiny", "samples": 300, "key": "00112233445566778899aabbccddeeff"}


async def waits() -> bool:
    return False


async def certified(pool: Pool, picture: bytes, **fields: Any) -> pipeline.Certified:
    order = certify_order(FIELDS | fields, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)
    await pool.start()
    try:
        steps = pipeline.certify(pool, order, subject, proofs=False)
        return await pipeline.last(steps, waits)
    finally:
        await pool.stop()


def lasting(done: pipeline.Certified) -> bytes:
    """The document's bytes without time and identifier."""
    document = dict(done.document)
    del document["issued"], document["identifier"]
    return dumps(document)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            lambda: LocalPool(device="cpu", chunk_seconds=0.001), id="again, small chunks"
        ),
        pytest.param(lambda: WorkerPool(1, device="cpu"), id="one worker"),
        pytest.param(
            lambda: WorkerPool(2, device="cpu", chunk_seconds=0.001), id="two workers, small chunks"
        ),
    ],
)
def test_the_same_request_gives_the_same_bytes(picture: bytes, other: Callable[[], Pool]) -> None:
    first = asyncio.run(certified(LocalPool(device="cpu"), picture))
    second = asyncio.run(certified(other(), picture))
    assert lasting(first) == lasting(second)
    assert first.document["identifier"] != second.document["identifier"]
    assert verify(dumps(second.document)).holds


@pytest.mark.parametrize(
    ("fields", "law"),
    [
        ({"law": "laplace", "norm": "1"}, "laplace"),
        ({"law": "generalized_normal", "shape": 6, "norm": "4"}, "generalized_normal"),
        ({"law": "auto", "norm": "inf"}, "gaussian"),
        ({"law": "liu2021", "norm": "1"}, "laplace"),
    ],
)
def test_any_law_and_norm_gives_a_document_that_holds(
    picture: bytes, fields: dict[str, Any], law: str
) -> None:
    done = asyncio.run(certified(LocalPool(device="cpu"), picture, **fields))
    assert done.plan.recipe.law == law
    report = verify(dumps(done.document))
    assert report.holds
    sign = "∞" if fields["norm"] == "inf" else fields["norm"]
    assert any(f"ℓ{sign} size" in line for line in report.words)
    assert done.certificate.curve[-1].radius > 0


def test_another_key_or_picture_gives_other_evidence(picture: bytes, pool: Any) -> None:
    def digest(**fields: Any) -> str:
        return asyncio.run(certified(pool, picture, **fields)).evidence.digest()

    assert digest() == digest()
    assert digest(key="ff" * 16) != digest()
    assert digest(samples=299) != digest()


def test_parts_may_come_in_any_order(picture: bytes, pool: Any) -> None:
    class Backwards(type(pool)):  # type: ignore[misc]
        async def draw_parts(
            self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
        ) -> AsyncGenerator[Evidence, None]:
            parts = [part async for part in super().draw_parts(plan, image, start, stop)]
            for part in reversed(parts):
                yield part

    forwards = asyncio.run(certified(pool, picture))
    backwards = asyncio.run(certified(Backwards(part=7), picture))
    assert lasting(forwards) == lasting(backwards)


def test_what_progress_claims_is_what_that_many_samples_prove(picture: bytes, pool: Any) -> None:
    order = certify_order(FIELDS | {"samples": 400, "radius": 0.02}, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)

    async def watch() -> list[Progress]:
        pool.part = 100
        steps = pipeline.certify(pool, order, subject, proofs=True)
        return [step async for step in steps if isinstance(step, Progress)]

    seen = asyncio.run(watch())
    assert [step.samples for step in seen] == [100, 200, 300, 400]
    assert all(step.radius == 0.02 for step in seen)
    for step in seen[:3]:
        alone = asyncio.run(certified(pool, picture, samples=step.samples, radius=0.02))
        assert step.at_least == alone.certificate.at_least_within(0.02)


def test_a_caller_who_leaves_stops_the_drawing(picture: bytes, pool: Any) -> None:
    order = certify_order(FIELDS | {"samples": 1000}, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)
    closed = False

    class Watched(type(pool)):  # type: ignore[misc]
        async def draw_parts(self, *work: Any) -> AsyncGenerator[Evidence, None]:
            nonlocal closed
            try:
                async with aclosing(super().draw_parts(*work)) as parts:
                    async for part in parts:
                        yield part
            finally:
                closed = True

    async def leave() -> None:
        async with aclosing(pipeline.certify(Watched(), order, subject, proofs=False)) as steps:
            await anext(steps)

    asyncio.run(leave())
    assert closed


def test_a_gradient_that_is_not_finite_counts_as_nothing(picture: bytes, pool: Any) -> None:
    class Broken(type(pool)):  # type: ignore[misc]
        async def look(self, *what: Any) -> Any:
            seen = await super().look(*what)
            seen.map[0, 0], seen.map[15, 15] = np.nan, np.inf
            return seen

    order = explain_order({"model": "digits-tiny", "method": "gradient"}, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)
    scores = asyncio.run(pipeline.explain(Broken(), order, subject)).scores
    assert scores[0, 0] == scores[15, 15] == 0 and scores[0, 1] == 1


def test_the_document_says_which_software_and_picture(picture: bytes, pool: Any) -> None:
    document = json.loads(dumps(asyncio.run(certified(pool, picture)).document))
    assert set(document["software"]) == {"affidavit", "numpy", "scipy", "python-flint", "torch"}
    assert document["subject"]["decoder"].startswith("pillow ")
    assert document["issued"].endswith("+00:00")
