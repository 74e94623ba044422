"""Jobs over HTTP, in one process, over a pool without a network: accepted, watched, resumed."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from certify.document import dumps
from certify.evidence import Evidence
from certify.gathering import Gathering, gathered
from certify.plan import Plan
from certify.verify import verify
from service import pipeline
from service.app import create_app
from service.context import Service
from service.jobs import record as records
from service.jobs import runner as runners
from service.jobs import work as works
from service.jobs.events import newer
from service.jobs.running import Running
from service.orders import certify_order
from service.pipeline import Issue, Notes
from service.pool import WorkerLost, WorkFailed
from service.preferences import preferences
from service.settings import Settings
from service.store import jobs
from service.store.store import Store

LATER = {"prefer": "respond-async"}
KEY = "00112233445566778899aabbccddeeff"
SAMPLES = 640
PATIENCE = 30.0


@pytest.fixture
def paced(pool: Any) -> Any:
    """A pool whose every part waits for `go`, or not at all while `free` is set."""

    @dataclass
    class Paced(type(pool)):  # type: ignore[misc]
        steps: int = 0
        spans: list[tuple[int, int]] = field(default_factory=list)
        losses: list[int] = field(default_factory=list)

        def __post_init__(self) -> None:
            self.free = asyncio.Event()
            self.free.set()

        async def draw_parts(
            self, plan: Plan, image: Any, start: int, stop: int
        ) -> AsyncGenerator[Evidence, None]:
            async for part in super().draw_parts(plan, image, start, stop):
                await self.free.wait()
                if self.losses and part.ranges[0][0] >= self.losses[0]:
                    self.losses.pop(0)
                    raise WorkerLost("worker-0.1 was ended by SIGKILL while at work")
                self.spans.append(part.ranges[0])
                yield part

    return Paced()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        max_samples=5000,
        default_model="digits-tiny",
        data_dir=tmp_path / "jobs",
        checkpoint_seconds=0,
        lease_seconds=0.4,
    )


@dataclass
class Caller:
    """Speaks to one running application."""

    http: httpx.AsyncClient
    service: Service
    picture: bytes

    async def certify(self, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        body = {"model": "digits-tiny", "samples": SAMPLES, "key": KEY, "radius": 0.02}
        body |= {"image": base64.b64encode(self.picture).decode()} | fields
        return await self.http.post("/v1/certify", json=body, headers=headers or {})

    async def job(self, address: str) -> dict[str, Any]:
        told: dict[str, Any] = (await self.http.get(address)).json()
        return told

    async def until(self, address: str, *states: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while (told := await self.job(address))["state"] not in states:
            assert time.monotonic() < end, told
            await asyncio.sleep(0.01)
        return told

    async def drawn(self, address: str, samples: int) -> None:
        while (await self.job(address))["drawn"] < samples:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(pool: Any, settings: Settings, picture: bytes) -> AsyncIterator[Caller]:
    app = create_app(settings, pool)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as http,
    ):
        yield Caller(http, app.state.service, picture)


@pytest.fixture
def tell(paced: Any, settings: Settings, picture: bytes) -> Callable[..., Any]:
    """Run a story with a caller of a running server over the paced pool."""

    def run(story: Callable[[Caller], Awaitable[Any]], **more: Any) -> Any:
        async def whole() -> Any:
            async with running(paced, settings.model_copy(update=more), picture) as caller:
                return await asyncio.wait_for(story(caller), PATIENCE)

        return asyncio.run(whole())

    return run


def undisturbed(pool: Any, picture: bytes, document: dict[str, Any], **fields: Any) -> bytes:
    """The document of the same order without jobs, store or interruption, its name and time those
    of `document`."""
    asked = {"model": "digits-tiny", "samples": SAMPLES, "key": KEY, "radius": 0.02} | fields
    order = certify_order(asked, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)
    notes = Notes(Issue(document["identifier"], document["issued"]))

    async def last() -> Any:
        steps = pipeline.certify(pool, order, subject, proofs=False, notes=notes)
        return [step async for step in steps][-1]

    return dumps(asyncio.run(last()).document)


def events(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Id, name and job of each event."""
    found = []
    for block in text.strip().split("\n\n"):
        if not block.startswith(":"):
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            found.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return found


def test_a_job_is_accepted_at_once_and_ends_in_the_undisturbed_document(
    tell: Any, pool: Any, picture: bytes
) -> None:
    async def story(caller: Caller) -> Any:
        caller.service.pool.free.clear()  # type: ignore[attr-defined]
        accepted = await caller.certify({"prefer": "respond-async, wait=0"})
        address = accepted.headers["location"]
        early = await caller.http.get(f"{address}/certificate")
        caller.service.pool.free.set()  # type: ignore[attr-defined]
        done = await caller.until(address, "done")
        kinds = ["application/json", "image/png", "application/octet-stream"]
        got = [
            (await caller.http.get(done["certificate"], headers={"accept": kind})) for kind in kinds
        ]
        return accepted, early, done, got

    accepted, early, done, (answer, png, npy) = tell(story)
    assert accepted.status_code == 202
    assert accepted.headers["preference-applied"] == "respond-async, wait=0"
    assert accepted.json()["state"] in ("queued", "running")
    assert early.status_code == 409 and early.json()["type"].endswith("job-not-done")
    assert int(early.headers["retry-after"]) > 0
    assert done["drawn"] == done["samples"] == SAMPLES and done["expires"] > done["created"]
    document = answer.json()["certificate"]
    assert document["identifier"].replace("-", "") == f"urn:uuid:{done['id']}"
    assert dumps(document) == undisturbed(pool, picture, document)
    assert verify(dumps(document)).holds
    assert png.content.startswith(b"\x89PNG") and npy.content.startswith(b"\x93NUMPY")


def test_what_is_ready_in_time_is_answered_as_ever(tell: Any) -> None:
    async def story(caller: Caller) -> Any:
        waited = await caller.certify({"prefer": "wait=20"})
        both = await caller.certify({"prefer": "respond-async, wait=20"})
        plain = await caller.certify()
        return waited, both, plain, await caller.job("/v1/jobs")

    waited, both, plain, listed = tell(story)
    assert [r.status_code for r in (waited, both, plain)] == [200] * 3
    assert waited.headers["preference-applied"] == "wait=20"
    assert "preference-applied" not in plain.headers
    # Who did not mean to come back leaves nothing behind.
    assert [f"/v1/jobs/{job['id']}" for job in listed["jobs"]] == [both.headers["location"]]
    without = [dict(r.json(), certificate=None) for r in (waited, both, plain)]
    assert without[0] == without[1] == without[2]


@pytest.mark.parametrize("headers", [{"prefer": "wait=0"}, {}], ids=["wait=0", "no preference"])
def test_what_takes_longer_becomes_a_job_with_its_evidence(
    tell: Any, paced: Any, pool: Any, picture: bytes, headers: dict[str, str]
) -> None:
    async def story(caller: Caller) -> Any:
        paced.free.clear()
        response = await caller.certify(headers)
        paced.free.set()
        await caller.until(response.headers["location"], "done")
        return response, await caller.job(response.headers["location"] + "/certificate")

    response, answer = tell(story, longest_wait_seconds=0.2)
    assert response.status_code == 202
    assert len(paced.spans) == len(set(paced.spans)) == SAMPLES // 64
    assert dumps(answer["certificate"]) == undisturbed(pool, picture, answer["certificate"])


def test_an_explanation_that_takes_too_long_is_ended_and_said(tell: Any, paced: Any) -> None:
    async def slow(*_: Any) -> Any:
        await asyncio.sleep(PATIENCE)

    paced.look = slow

    async def story(caller: Caller) -> Any:
        body = {"method": "gradient", "image": base64.b64encode(caller.picture).decode()}
        return await caller.http.post("/v1/explain", json=body)

    response = tell(story, longest_wait_seconds=0.1)
    assert response.status_code == 504 and response.json()["type"].endswith("took-too-long")


def test_delete_cancels_before_the_next_chunk(tell: Any, paced: Any) -> None:
    async def story(caller: Caller) -> Any:
        address = (await caller.certify(LATER)).headers["location"]
        paced.free.clear()
        cancelled = await caller.http.delete(address)
        drawn = len(paced.spans)
        paced.free.set()
        again = await caller.http.delete(address)
        await asyncio.sleep(0.2)
        certificate = await caller.http.get(f"{address}/certificate")
        told = (await caller.http.get(f"{address}/events")).text
        return cancelled.json(), again.json(), drawn, certificate, told

    cancelled, again, drawn, certificate, told = tell(story)
    assert cancelled["state"] == again["state"] == "cancelled"
    assert len(paced.spans) <= drawn < SAMPLES // 64
    assert certificate.status_code == 409 and "retry-after" not in certificate.headers
    assert [name for _, name, _ in events(told)] == ["cancelled"]


def test_a_job_that_waits_for_its_turn_can_be_cancelled(tell: Any, paced: Any) -> None:
    async def story(caller: Caller) -> Any:
        paced.free.clear()
        first, second = [(await caller.certify(LATER)).headers["location"] for _ in range(2)]
        states = [(await caller.job(address))["state"] for address in (first, second)]
        await caller.http.delete(second)
        paced.free.set()
        await caller.until(first, "done")
        return states, await caller.job(second)

    states, second = tell(story, jobs_at_once=1)
    assert states == ["running", "queued"]
    assert (second["state"], second["drawn"]) == ("cancelled", 0)


def test_one_request_with_one_idempotency_key_is_one_job(tell: Any) -> None:
    async def story(caller: Caller) -> Any:
        key = {"idempotency-key": "6b0f", "prefer": "respond-async"}
        first, second = await asyncio.gather(caller.certify(key), caller.certify(key))
        await caller.until(first.headers["location"], "done")
        form = {"model": "digits-tiny", "samples": str(SAMPLES), "key": KEY, "radius": "0.02"}
        files = {"image": ("other name", caller.picture)}
        third = await caller.http.post("/v1/certify", data=form, files=files, headers=key)
        waiting = await caller.certify({"idempotency-key": "6b0f"})
        other = await caller.certify(key, radius=0.03)
        fresh = await caller.certify({"idempotency-key": "6b10", "prefer": "respond-async"})
        return first, second, third, waiting, other, fresh, await caller.job("/v1/jobs")

    first, second, third, waiting, other, fresh, listed = tell(story)
    addresses = [r.headers["location"] for r in (first, second, third, waiting)]
    assert len(set(addresses)) == 1 and fresh.headers["location"] not in addresses
    assert third.status_code in (200, 202) and waiting.status_code == 200
    assert other.status_code == 422 and other.json()["type"].endswith("idempotency-mismatch")
    assert len(listed["jobs"]) == 2


def test_a_repeated_request_without_a_key_of_its_own_noise_is_the_same_request(tell: Any) -> None:
    async def story(caller: Caller) -> Any:
        wish = {"idempotency-key": "k"}
        return [(await caller.certify(wish, key=None)).json() for _ in range(2)]

    first, second = tell(story)
    assert first == second and first["key_origin"] == "fresh"


def test_events_carry_the_job_and_what_is_proven_and_resume_where_they_broke_off(
    tell: Any, paced: Any
) -> None:
    async def story(caller: Caller) -> Any:
        address = (await caller.certify(LATER)).headers["location"]
        stream = f"{address}/events"
        whole = (await caller.http.get(stream)).text
        seen = {"last-event-id": "320"}
        paced.free.clear()
        second = (await caller.certify(LATER)).headers["location"]
        paced.free.set()
        rest = (await caller.http.get(f"{second}/events", headers=seen)).text
        over = await caller.http.get(stream, headers={"last-event-id": "end"})
        return whole, rest, over

    whole, rest, over = tell(story)
    told = events(whole)
    *marks, end = [mark for mark, _, _ in told]
    assert end == "end" and [int(mark) for mark in marks] == sorted({int(m) for m in marks})
    *progress, (_, name, job) = told
    assert {name for _, name, _ in progress} == {"progress"} and name == "done"
    assert job["state"] == "done" and job["certificate"]
    carried = [job["progress"] for _, _, job in progress if job["progress"]]
    assert carried and all(each["total"] == SAMPLES for each in carried)
    assert max(each["proven_samples"] or 0 for each in carried) >= 64
    assert carried[-1]["curve"] and carried[-1]["at_least"] is not None
    assert all(mark == "end" or int(mark) > 320 for mark, _, _ in events(rest))
    assert over.status_code == 204 and not over.content


@pytest.mark.parametrize(
    ("mark", "seen", "is_news"),
    [
        ("0", None, True),
        ("64", "0", True),
        ("64", "64", False),
        ("64", "128", False),
        ("128", "end", False),
        ("end", "128", True),
        ("end", "end", False),
        ("64", "?", True),
    ],
)
def test_what_is_news(mark: str, seen: str | None, is_news: bool) -> None:
    assert newer(mark, seen) is is_news


def test_jobs_are_listed_by_pages_newest_first(tell: Any) -> None:
    async def story(caller: Caller) -> Any:
        made = [(await caller.certify(LATER)).json()["id"] for _ in range(5)]
        pages, after = [], ""
        while after is not None:
            page = await caller.job(f"/v1/jobs?limit=2{after and '&after=' + after}")
            pages.append([job["id"] for job in page["jobs"]])
            after = page["next"]
        wrong = [
            await caller.http.get(f"/v1/jobs?{query}")
            for query in ("limit=0", "limit=101", "limit=x", "page=2", "after=nobody")
        ]
        return made, pages, wrong

    made, pages, wrong = tell(story)
    assert pages == [made[:-3:-1], made[2:0:-1], made[:1]]
    assert [r.status_code for r in wrong] == [422, 422, 422, 422, 404]


@pytest.mark.parametrize("address", ["", "/events", "/certificate"])
def test_an_unknown_job_is_said(tell: Any, address: str) -> None:
    async def story(caller: Caller) -> Any:
        return await caller.http.get(f"/v1/jobs/{'0' * 32}{address}")

    response = tell(story)
    assert response.status_code == 404 and response.json()["type"].endswith("unknown-job")


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


def test_a_request_waiting_when_the_server_ends_is_told_where_its_job_is(
    tell: Any, paced: Any
) -> None:
    async def story(caller: Caller) -> Any:
        paced.free.clear()
        asked = [asyncio.create_task(caller.certify(h)) for h in ({}, {"idempotency-key": "k"})]
        await asyncio.sleep(0.2)
        await caller.service.runner.stop(0.1)
        responses = await asyncio.gather(*asked)
        return responses, [await caller.job(r.headers["location"]) for r in responses]

    responses, told = tell(story)
    assert [r.status_code for r in responses] == [202, 202]
    assert [job["state"] for job in told] == ["queued", "queued"]


@pytest.mark.parametrize(
    ("header", "later", "wait"),
    [
        ("respond-async", True, None),
        ("Respond-Async, WAIT = 7", True, 7),
        ('wait="3", handling=lenient', False, 3),
        ("wait=-1", False, None),
        ("wait=1e3, return=minimal", False, None),
        ("", False, None),
    ],
)
def test_preferences_are_read_as_rfc_7240_says(header: str, later: bool, wait: int | None) -> None:
    found = preferences(httpx_headers({"prefer": header}))
    assert (found.later, found.wait) == (later, wait)


@pytest.mark.parametrize("key", ["", "two words", "ä", "x" * 256])
def test_an_idempotency_key_that_is_none_is_refused(tell: Any, key: str) -> None:
    async def story(caller: Caller) -> Any:
        return await caller.certify({"idempotency-key": key.encode("utf-8")})  # type: ignore[dict-item]

    response = tell(story)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "Idempotency-Key"


def httpx_headers(headers: dict[str, str]) -> Any:
    from starlette.datastructures import Headers

    return Headers(headers)


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
