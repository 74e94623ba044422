"""What is told of a job while it is at work, and where telling goes on after a break."""

from typing import Any

import pytest

from service.jobs.events import newer
from tests.service.callers import LATER, SAMPLES, Caller, events


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


def test_a_request_with_a_key_that_asks_for_events_hears_those_of_its_job(tell: Any) -> None:
    wanted = {"accept": "text/event-stream", "idempotency-key": "once"}

    async def story(caller: Caller) -> Any:
        first, again = await caller.certify(wanted), await caller.certify(wanted)
        return first, again, await caller.job(first.headers["location"])

    first, again, job = tell(story)
    assert first.headers["content-type"].startswith("text/event-stream")
    assert first.headers["location"] == again.headers["location"] == f"/v1/jobs/{job['id']}"
    *_, (mark, name, told) = events(first.text)
    assert (mark, name, told) == ("end", "done", job)
    assert events(again.text) == [("end", "done", job)]


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
