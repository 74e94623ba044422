"""A server that ends while certificates are being made: every caller is told where theirs is."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from certify.document import dumps
from service.commands.sources import Remote, Unreachable
from service.context import Service
from service.jobs.running import SetAside
from service.settings import Settings
from service.store import jobs
from tests.service.callers import KEY, PATIENCE, SAMPLES, Caller, running, undisturbed

STREAM = {"accept": "text/event-stream"}


async def ended(service: Service, drawn: int) -> None:
    """The end of the server once so many samples are drawn for whoever waits."""
    while not any(each.samples >= drawn for each in service.runner._all()):
        await asyncio.sleep(0.01)
    service.pool.free.clear()  # type: ignore[attr-defined]
    await service.runner.stop(0.1)


def test_a_request_waiting_when_the_server_ends_is_told_where_its_job_is(
    tell: Any, paced: Any
) -> None:
    async def story(caller: Caller) -> Any:
        paced.free.clear()
        asked = [asyncio.create_task(caller.certify(h)) for h in ({}, {"idempotency-key": "k"})]
        while len(caller.service.runner._all()) < len(asked):
            await asyncio.sleep(0.01)
        await caller.service.runner.stop(0.1)
        responses = await asyncio.gather(*asked)
        return responses, [await caller.job(r.headers["location"]) for r in responses]

    responses, told = tell(story)
    assert [r.status_code for r in responses] == [202, 202]
    assert [job["state"] for job in told] == ["queued", "queued"]


def test_a_request_that_was_still_arriving_when_the_server_ended_is_told_the_same(
    tell: Any, paced: Any, parse_events: Any
) -> None:
    async def story(caller: Caller) -> Any:
        await caller.service.runner.stop()
        await caller.service.pool.stop()
        waiting, watching = await caller.certify(), await caller.certify(STREAM)
        [(name, told)] = parse_events(watching.text)
        where = waiting.headers["location"], f"/v1/jobs/{told['id']}"
        return waiting.status_code, name, [await caller.job(each) for each in where]

    status, name, kept = tell(story)
    assert (status, name, paced.spans) == (202, "job", [])
    assert [(job["state"], job["drawn"]) for job in kept] == [("queued", 0)] * 2


def test_whoever_comes_while_the_server_ends_is_told_of_a_job_that_there_is(
    tell: Any, paced: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the end but not yet at work, all the while, and when the store is closed."""

    async def story(caller: Caller) -> Any:
        runner, store, records = caller.service.runner, caller.service.store, list[Any]()
        begin = runner.begin

        def noted(record: Any) -> Any:
            records.append(record)
            return begin(record)

        with monkeypatch.context() as noting:
            noting.setattr(runner, "begin", noted)
            paced.free.clear()
            asked = asyncio.create_task(caller.certify())
            while not records:
                await asyncio.sleep(0.001)
        anew = [renewed(records[0], f"{number:032x}") for number in range(40)]
        begun = [runner.begin(anew[0])]
        stopping = asyncio.create_task(runner.stop())
        for record in anew[1:]:
            begun.append(runner.begin(record))
            await asyncio.sleep(0.0005)
        await stopping
        await asyncio.gather(asked, *(each.outcome for each in begun), return_exceptions=True)
        told = [isinstance(each.outcome.exception(), SetAside) for each in begun]
        heads = [await store.do(jobs.head, each.id, each.record.owner) for each in begun]
        store.stop()
        late = runner.begin(renewed(records[0], "f" * 32))
        await asyncio.wait([late.outcome], timeout=PATIENCE)
        store.start()
        return told, [head.state for head in heads], late.outcome.exception(), runner._all()

    told, states, late, left = tell(story)
    assert told == [True] * 40 and states == ["queued"] * 40
    assert isinstance(late, RuntimeError) and left == []


def test_whoever_hangs_up_while_passed_on_does_not_break_the_end(
    tell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(caller: Caller) -> list[str]:
        runner, records = caller.service.runner, list[Any]()
        begin = runner.begin
        with monkeypatch.context() as noting:
            noting.setattr(runner, "begin", lambda each: records.append(each) or begin(each))
            await caller.certify()
        await runner.stop()
        gone, stays = (runner.begin(renewed(records[0], digit * 32)) for digit in "de")
        ending = asyncio.create_task(runner.stop())
        await asyncio.sleep(0)
        runner.drop(gone)
        await ending
        return [type(each.outcome.exception()).__name__ for each in (gone, stays)]

    assert tell(story) == ["Taken", "SetAside"]


def renewed(record: Any, job: str) -> Any:
    """The same request once more."""
    return replace(record, id=job)


def test_a_stream_ends_with_its_job_which_another_server_brings_to_the_same_document(
    paced: Any, pool: Any, settings: Settings, picture: bytes, parse_events: Any
) -> None:
    async def story() -> Any:
        async with running(paced, settings, picture) as first:
            asked = asyncio.create_task(first.certify(STREAM))
            await ended(first.service, 256)
            told = parse_events((await asked).text)
        parts = len(paced.spans)
        paced.free.set()
        async with running(paced, settings, picture) as second:
            address = f"/v1/jobs/{told[-1][1]['id']}"
            await second.until(address, "done")
            return told, await second.job(f"{address}/certificate"), parts

    told, answer, parts = asyncio.run(asyncio.wait_for(story(), PATIENCE))
    *progress, (name, job) = told
    assert progress and {each for each, _ in progress} == {"progress"} and name == "job"
    assert (job["state"], job["drawn"]) == ("queued", 64 * parts) and 256 <= job["drawn"] < SAMPLES
    # Nothing was drawn twice, and nothing changed.
    assert len(paced.spans) == len(set(paced.spans)) == SAMPLES // 64
    assert dumps(answer["certificate"]) == undisturbed(pool, picture, answer["certificate"])


def test_a_stream_that_can_end_in_time_does(tell: Any, paced: Any, parse_events: Any) -> None:
    async def story(caller: Caller) -> Any:
        paced.free.clear()
        asked = asyncio.create_task(caller.certify(STREAM))
        while not caller.service.runner._all():
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(caller.service.runner.stop(PATIENCE))
        paced.free.set()
        await stopping
        return parse_events((await asked).text), await caller.job("/v1/jobs")

    told, listed = tell(story)
    assert told[-1][0] == "result" and told[-1][1]["samples"] == SAMPLES
    assert listed["jobs"] == []


def test_the_command_line_is_told_too(tell: Any, paced: Any) -> None:
    async def story(caller: Caller) -> Any:
        remote = Remote("http://test", caller.http._transport)
        fields = {"model": "digits-tiny", "samples": SAMPLES, "key": KEY, "radius": 0.02}
        steps = remote.certify(caller.picture, fields)

        async def follow() -> None:
            async for _ in steps:
                pass

        following = asyncio.create_task(follow())
        await ended(caller.service, 128)
        with pytest.raises(Unreachable, match=r"back .* http://test/v1/jobs/\w{32}/") as it:
            await following
        where = str(it.value).rsplit("/jobs/", 1)[1].split("/")[0]
        return await caller.job(f"/v1/jobs/{where}")

    assert tell(story)["state"] == "queued"


@pytest.mark.parametrize("drawn", [0, 128])
def test_whoever_hangs_up_on_a_stream_ends_the_work(tell: Any, paced: Any, drawn: int) -> None:
    async def story(caller: Caller) -> Any:
        if not drawn:
            paced.free.clear()
        asked = asyncio.create_task(caller.certify(STREAM))
        while not caller.service.runner._all() or len(paced.spans) < drawn // 64:
            await asyncio.sleep(0.01)
        paced.free.clear()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        while caller.service.runner._all():
            await asyncio.sleep(0.01)
        return await caller.job("/v1/jobs"), caller.service.admission.waiting

    assert json.dumps(tell(story)) == '[{"jobs": [], "next": null}, 0]'
