"""Evidence as the store keeps it: the same when it comes back, and no larger than it need be."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from certify.evidence import Evidence
from certify.gathering import Gathering, gathered
from service import pipeline
from service.jobs import record as records
from service.jobs import work as works
from service.jobs.running import Running
from service.orders import certify_order
from service.settings import Settings
from service.store import jobs
from service.store.store import Store
from tests.service.callers import (
    KEY,
)


def test_evidence_is_the_same_after_the_store(picture: bytes, pool: Any) -> None:
    order = certify_order({"model": "digits-tiny", "samples": 200, "key": KEY}, False, Settings())
    plan = order.noise.plan(order.card, "0" * 64, 3)

    async def parts() -> list[Evidence]:
        return [part async for part in pool.draw_parts(plan, None, 0, 200)]

    drawn = asyncio.run(parts())
    packed = [records.pack(gathered(drawn[2], drawn[3:])), records.pack(drawn[1].merge(drawn[0]))]
    assert [part.first for part in packed] == [128, 0]
    found = records.unpack([part.body for part in packed])
    assert found is not None and found.digest() == gathered(drawn[0], drawn[1:]).digest()
    assert records.unpack([]) is None


@pytest.mark.parametrize("features", [40, 5000])
def test_what_is_kept_of_evidence_does_not_grow_with_how_often_it_is_saved(
    features: int, picture: bytes, tmp_path: Path
) -> None:
    """The counts of every part are as many as the features, however few its samples are."""
    order = certify_order({"model": "digits-tiny", "samples": 200, "key": KEY}, False, Settings())
    record = records.accepted(order, pipeline.receive(picture, order.card, 10**6), "", None)
    plan = order.noise.plan(order.card, "0" * 64, 3)
    rows = np.arange(200)[:, None] % 7 == np.arange(features) % 7
    parts = [
        Evidence.from_votes(s, rows[s : s + 2], np.zeros(2, np.int32)) for s in range(0, 200, 2)
    ]
    parts[6], parts[9] = parts[9], parts[6]

    async def story() -> tuple[bytes, ...]:
        store = Store(None, tmp_path)
        store.start()
        work = works.Work(store, None, Settings(), None, "1" * 32)  # type: ignore[arg-type]
        job, gathering = Running(record, kept=True), Gathering(Evidence.empty(features))
        await store.do(jobs.accept, records.write(record), 1.0)
        assert await store.do(jobs.take, record.id, "1" * 32, 1.0, 1e12)
        for part in parts:
            gathering.add(part)
            await job.notes().keep(plan, part, gathering)
            await work.save(job)
        kept = await store.do(jobs.load, record.id)
        store.stop()
        return kept.parts

    kept = asyncio.run(story())
    whole = gathered(parts[0], parts[1:])
    assert sum(map(len, kept)) < 2.5 * len(records.pack(whole).body)
    found = records.unpack(kept)
    assert found is not None and found.digest() == whole.digest()
