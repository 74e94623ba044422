"""Log lines: one object or one line each, whatever callers send, with request and job id."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import logs

NASTY = 'a\nERROR forged: line\r\n"}\x1b[2J\x07\u2028\u202e\x00end'


@pytest.fixture
def lines() -> Iterator[Callable[[logs.Style], Callable[[], list[str]]]]:
    """Configures logging in a style; what it returns reads the lines written since."""
    logs.clear_contextvars()

    def begin(style: logs.Style) -> Callable[[], list[str]]:
        stream = io.StringIO()
        logs.configure(style, stream)
        return lambda: stream.getvalue().split("\n")[:-1]

    yield begin
    logs.clear_contextvars()


def test_a_line_is_an_object_with_the_ids_of_its_task(lines: Any) -> None:
    read = lines("auto")
    own = logs.begin_request(None)
    logs.begin_job("j1")
    logging.getLogger("service.x").warning("%s is late", "worker-1")
    (line,) = map(json.loads, read())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "worker-1 is late",
        "level": "warning",
        "logger": "service.x",
        "request_id": own,
        "job_id": "j1",
    }


def test_tasks_do_not_mix_their_ids(lines: Any) -> None:
    read = lines("json")

    async def one(name: str) -> None:
        logs.begin_request(name)
        await asyncio.sleep(0)
        await asyncio.to_thread(logging.getLogger("t").info, name)

    async def both() -> None:
        await asyncio.gather(asyncio.create_task(one("a")), asyncio.create_task(one("b")))

    asyncio.run(both())
    assert sorted((x["event"], x["request_id"]) for x in map(json.loads, read())) == [
        ("a", "a"),
        ("b", "b"),
    ]


@pytest.mark.parametrize("stated", [NASTY, "", "x" * 65, "a b", "ä", "a\r\nX-Evil: 1"])
def test_only_a_plain_request_id_is_taken_over(stated: str) -> None:
    assert logs.REQUEST_ID.fullmatch(logs.begin_request(stated))
    assert logs.request_id() != stated


@given(st.text())
def test_nothing_that_is_logged_ends_a_line(text: str) -> None:
    stream = io.StringIO()
    for style in ("json", "text"):
        logs.configure(style, stream)
        logging.getLogger("x").info("%s", text, extra={"path": text})
    as_json, as_text, rest = stream.getvalue().split("\n")
    assert rest == ""
    assert as_json.isascii() and as_json.isprintable() and as_text.isprintable()
    assert json.loads(as_json)["path"] == text or len(text) > logs.LONGEST_TEXT


def test_a_forged_line_stays_inside_its_own(lines: Any) -> None:
    for style in ("json", "text"):
        read = lines(style)
        logging.getLogger("x").info("path %s", NASTY)
        assert len(read()) == 1


def test_a_traceback_is_told_and_indented(lines: Any) -> None:
    read = lines("text")
    try:
        raise ValueError(NASTY)
    except ValueError:
        logging.getLogger("x").exception("it failed")
    first, *rest = read()
    assert first.startswith("ERROR x: it failed")
    assert rest and all(line.startswith("    ") and line.isprintable() for line in rest)
    read = lines("json")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    assert "ValueError: why" in json.loads(read()[0])["exception"]


def test_long_texts_are_cut(lines: Any) -> None:
    read = lines("json")
    logging.getLogger("x").info("y" * 10**6)
    assert len(read()[0]) < 3000


def test_a_request_leaves_one_line_with_its_id(client: Any, picture: bytes, lines: Any) -> None:
    read = lines("json")
    answer = client.certify(picture, samples=64)
    (line,) = [x for x in map(json.loads, read()) if x["logger"] == "service.observing"]
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["route"], line["status"], line["level"]) == ("/v1/certify", 200, "info")
    assert line["seconds"] >= 0


def test_an_unforeseen_failure_is_logged_under_the_id_that_its_caller_is_told(
    client: Any, pool: Any, picture: bytes, lines: Any
) -> None:
    read = lines("json")
    pool.failure = RuntimeError("secret inside")
    answer = client.explain(picture, method="gradient")
    assert answer.status_code == 500 and "secret" not in answer.text
    failed = [x for x in map(json.loads, read()) if "exception" in x]
    assert failed and "secret inside" in failed[0]["exception"]
    assert {x["request_id"] for x in failed} == {answer.headers["x-request-id"]}


def test_a_path_cannot_forge_a_line_or_a_header(client: Any, lines: Any) -> None:
    read = lines("text")
    answer = client.get(
        "/v1/models/a%0d%0aX-Evil:%201%0aERROR%20forged", headers={"x-request-id": "n"}
    )
    assert answer.status_code == 404 and "x-evil" not in answer.headers
    assert [line for line in read() if line.startswith("ERROR")] == []
    assert len([line for line in read() if "service.observing" in line]) == 1
