"""Jobs whose worker, lease, store, server or software goes away: each goes on, or says why not."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from certify.document import dumps
from service import pipeline
from service.context import Service
from service.jobs import runner as runners
from service.jobs import work as works
from service.pool.pools import WorkFailed
from service.settings import Settings
from service.store import jobs
from tests.service.callers import (
    LATER,
    PATIENCE,
    SAMPLES,
    Caller,
    events,
    running,
    undisturbed,
)


def test_a_job_goes_on_when_its_worker_is_lost(
    tell: Any, paced: Any, pool: Any, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(works, "RETRY_SECONDS", 0.0)
    paced.losses = [0, 0, 128, 128, 576]

    async def story(caller: Caller) -> Any:
        return (await caller.certify({"idempotency-key": "k"})).json()

    document = tell(story)["certificate"]
    assert dumps(document) == undisturbed(pool, picture, document)
    assert len(paced.spans) == len(set(paced.spans)) == SAMPLES // 64


def test_a_job_that_kills_every_worker_is_given_up(
    tell: Any, paced: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(works, "RETRY_SECONDS", 0.0)
    paced.losses = [64] * 99

    async def story(caller: Caller) -> Any:
        response = await caller.certify({"idempotency-key": "k"})
        return response, await caller.job("/v1/jobs")

    response, listed = tell(story)
    assert response.status_code == 503 and len(paced.losses) == 99 - works.MOST_LOSSES
    (job,) = listed["jobs"]
    assert job["state"] == "failed" and job["problem"] == response.json()


def test_a_failed_job_keeps_its_problem(tell: Any, paced: Any) -> None:
    paced.failure = WorkFailed("RuntimeError: the network fell over")

    async def story(caller: Caller) -> Any:
        address = (await caller.certify(LATER)).headers["location"]
        told = (await caller.http.get(f"{address}/events")).text
        return told, await caller.http.get(f"{address}/certificate")

    told, certificate = tell(story)
    *_, (mark, name, job) = events(told)
    assert (mark, name) == ("end", "failed") and job["problem"] == certificate.json()
    assert certificate.status_code == 500 and "network" not in certificate.text


def restarted(
    paced: Any, settings: Settings, picture: bytes, between: Callable[[Service], Any]
) -> tuple[dict[str, Any], Any, int]:
    """A job broken off after 256 samples by the end of its server, `between` done to the store, and
    the job after another server has brought it to its end; its certificate; parts of the first."""

    async def story() -> Any:
        async with running(paced, settings, picture) as first:
            address = (await first.certify(LATER)).headers["location"]
            await first.drawn(address, 256)
            paced.free.clear()
        parts = len(paced.spans)
        first.service.store.start()
        between(first.service)
        first.service.store.stop()
        paced.free.set()
        async with running(paced, settings, picture) as second:
            told = await second.until(address, "done", "failed")
            return told, await second.job(f"{address}/certificate"), parts

    made: tuple[dict[str, Any], Any, int] = asyncio.run(asyncio.wait_for(story(), PATIENCE))
    return made


def test_another_server_goes_on_where_the_evidence_ends(
    paced: Any, pool: Any, settings: Settings, picture: bytes
) -> None:
    def look(service: Service) -> None:
        (head,) = service.store.now(jobs.listing, "", 2, None)
        assert (head.state, head.drawn >= 256) == ("queued", True)

    told, answer, parts = restarted(paced, settings, picture, look)
    assert told["state"] == "done" and parts < SAMPLES // 64
    assert len(paced.spans) == len(set(paced.spans)) == SAMPLES // 64
    document = answer["certificate"]
    assert dumps(document) == undisturbed(pool, picture, document)


def test_evidence_of_another_version_of_the_software_is_drawn_anew(
    paced: Any, pool: Any, settings: Settings, picture: bytes
) -> None:
    def age(service: Service) -> None:
        (head,) = service.store.now(jobs.listing, "", 2, None)
        kept = service.store.now(jobs.load, head.id)
        aged = kept.new.asked.replace(f'"torch":"{pipeline.SOFTWARE["torch"]}"', '"torch":"1.0"')
        assert aged != kept.new.asked
        assert service.store.now(jobs.take, head.id, "x", time.time(), time.time() + 99)
        update = jobs.JOBS.update().where(jobs.JOBS.c.id == head.id)
        service.store.now(lambda c: c.execute(update.values(asked=aged)))
        assert service.store.now(jobs.release, head.id, "x", time.time())

    told, answer, parts = restarted(paced, settings, picture, age)
    assert told["state"] == "done"
    assert len(paced.spans) == parts + SAMPLES // 64
    document = answer["certificate"]
    assert dumps(document) == undisturbed(pool, picture, document)


@pytest.mark.parametrize(
    ("old", "new"), [('"version":1', '"version":0'), ('"weights":"', '"weights":"0')], ids=str
)
def test_a_job_that_cannot_be_gone_on_with_says_so(
    paced: Any, settings: Settings, picture: bytes, old: str, new: str
) -> None:
    def spoil(service: Service) -> None:
        (head,) = service.store.now(jobs.listing, "", 2, None)
        asked = service.store.now(jobs.load, head.id).new.asked
        assert old in asked
        update = jobs.JOBS.update().values(asked=asked.replace(old, new))
        service.store.now(lambda c: c.execute(update))

    told, answer, _ = restarted(paced, settings, picture, spoil)
    assert told["state"] == "failed" and told["problem"] == answer
    assert answer["type"].endswith("job-outdated")


def test_a_process_that_lost_its_lease_stops_and_spoils_nothing(tell: Any, paced: Any) -> None:
    async def story(caller: Caller) -> Any:
        paced.free.clear()
        address = (await caller.certify(LATER)).headers["location"]
        job = address.rsplit("/", 1)[1]
        steal = jobs.JOBS.update().values(holder="thief", lease=time.time() + 99)
        await caller.service.store.do(lambda c: c.execute(steal))
        while caller.service.runner.find(job) is not None:
            await asyncio.sleep(0.01)
        paced.free.set()
        return await caller.job(address), await caller.service.store.do(jobs.load, job)

    told, kept = tell(story)
    assert told["state"] == "running" and kept.parts == () and paced.spans == []


def test_a_store_that_is_away_for_a_while_ends_no_job(
    tell: Any, paced: Any, pool: Any, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(works, "RETRY_SECONDS", 0.01)
    away = {"checkpoint": 3, "finish": 3}

    async def story(caller: Caller) -> Any:
        do = type(caller.service.store).do

        async def failing(self: Any, function: Any, *arguments: Any) -> Any:
            if away.get(function.__name__, 0) > 0:
                away[function.__name__] -= 1
                raise OperationalError("x", {}, Exception("the store is away"))
            return await do(self, function, *arguments)

        monkeypatch.setattr(type(caller.service.store), "do", failing)
        return (await caller.certify({"idempotency-key": "k"})).json()

    document = tell(story)["certificate"]
    assert dumps(document) == undisturbed(pool, picture, document)
    assert set(away.values()) == {0}


def test_a_job_is_forgotten_when_its_time_is_over(
    tell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "PURGE_SECONDS", 0.0)

    async def story(caller: Caller) -> Any:
        address = (await caller.certify({"idempotency-key": "k"})).headers["location"]
        while (response := await caller.http.get(address)).status_code == 200:
            await asyncio.sleep(0.05)
        return response

    assert tell(story, keep_hours=0.2 / 3600).status_code == 404
