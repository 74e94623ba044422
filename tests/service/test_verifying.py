"""Verifying for callers: bounded in number and in size, and never in the way of other work."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from service import verifying
from service.results import VerifyAnswer

JSON = {"content-type": "application/json"}
ANSWER = VerifyAnswer(holds=True, checks=[], words=[], signature="")


def test_too_many_at_once_are_told_to_come_back_and_others_are_served(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verifier hangs; orders and proofs, which need threads too, do not."""
    hung, at_work, taken = threading.Event(), [], []

    class Threads(ThreadPoolExecutor):
        def submit(self, *work: Any, **named: Any) -> Any:
            taken.append(work)
            return super().submit(*work, **named)

    def hang(document: bytes, most_samples: int) -> VerifyAnswer:
        at_work.append(threading.current_thread())
        hung.wait(60)
        return ANSWER

    async def story(http: httpx.AsyncClient) -> tuple[list[int], list[httpx.Response]]:
        async def ask() -> httpx.Response:
            return await http.post("/v1/verify", content=b"{}", headers=JSON)

        waiting = [asyncio.create_task(ask()) for _ in range(verifying.PLACES)]
        while not at_work or len(taken) < verifying.PLACES:
            await asyncio.sleep(0.01)
        refused = [await ask() for _ in range(100)]
        await asyncio.wait_for(asyncio.gather(*(asyncio.to_thread(int) for _ in range(64))), 30)
        simultaneous = len(at_work)
        hung.set()
        served = await asyncio.gather(*waiting)
        # Places are free again as soon as their work is done.
        return [simultaneous, *(r.status_code for r in [*served, await ask()])], refused

    monkeypatch.setattr(verifying, "verification", hang)
    monkeypatch.setattr(verifying, "ThreadPoolExecutor", Threads)
    try:
        (simultaneous, *statuses), refused = asyncio.run(inside(client, story))
    finally:
        hung.set()
    assert simultaneous == 1
    assert statuses == [200] * (verifying.PLACES + 1)
    assert {r.status_code for r in refused} == {503}
    assert refused[0].json()["type"].endswith("verifier-busy")
    assert int(refused[0].headers["retry-after"]) > 0
    assert "affidavit verify" in refused[0].text


async def inside(client: Any, story: Any) -> Any:
    transport = httpx.ASGITransport(client.app)
    async with (
        client.app.router.lifespan_context(client.app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as http,
    ):
        return await asyncio.wait_for(story(http), 60)


def test_a_document_of_more_samples_than_a_request_may_draw_is_left_to_its_reader(
    client: Any, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = client.certify(picture, samples=200).json()["certificate"]

    def no_work(_: bytes) -> None:
        raise AssertionError("the verifier was asked all the same")

    monkeypatch.setattr(verifying, "verify", no_work)
    with pytest.raises(verifying.ProblemError, match="samples is 200") as caught:
        verifying.verification(json.dumps(document).encode(), 199)
    assert caught.value.status == 422
    assert "affidavit verify FILE" in caught.value.faults[0].advice


def test_a_document_of_too_many_features_is_left_to_its_reader(
    client: Any, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "MOST_FEATURES", 5)
    response = client.post("/v1/verify", json=document)
    (error,) = response.json()["errors"]
    assert response.status_code == 422
    assert (error["field"], error["value"]) == ("features", "6")
