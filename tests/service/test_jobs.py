"""Jobs over HTTP, in one process, over a pool without a network: accepted, waited for, ended."""

import asyncio
import base64
from typing import Any

import pytest

from certify.document import dumps
from certify.verify import verify
from tests.service.callers import (
    KEY,
    LATER,
    PATIENCE,
    SAMPLES,
    Caller,
    events,
    undisturbed,
)


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


def test_the_picture_of_a_job_is_the_one_that_was_asked_for(tell: Any) -> None:
    async def story(caller: Caller) -> Any:
        accepted = await caller.certify(LATER, pictures=True)
        done = await caller.until(accepted.headers["location"], "done")
        later = await caller.http.get(done["certificate"], headers={"accept": "image/png"})
        return later.content, (await caller.job(done["certificate"]))["pictures"]["regions"]

    drawn_later, drawn_at_once = tell(story)
    assert drawn_later == base64.b64decode(drawn_at_once)


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
