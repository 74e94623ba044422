"""Servers that stop or have a worker that hangs: nothing is lost, and health tells the truth."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.house import PATIENCE, House, judge, waited

WAITING = {"samples": 3_000, "key": "0" * 31 + "1", "radius": 0.02}
WATCHING = {"samples": 3_000, "key": "0" * 31 + "2", "radius": 0.02}


@pytest.fixture
def house(tmp_path: Path, picture: bytes) -> Iterator[House]:
    made = House(tmp_path, None, picture)
    yield made
    made.close()


def readiness(house: House) -> int:
    """Status of /readyz; 0 from a server that is not there."""
    response = house.ask("GET", "/readyz")
    return 0 if response is None else response.status_code


def test_a_stopped_worker_turns_readiness_red_and_is_replaced(house: House) -> None:
    """SIGSTOP in the middle of a job, and again while idle: the job's document is the same."""
    house.settings = {"AFFIDAVIT_HANG_SECONDS": "2", "AFFIDAVIT_HEARTBEAT_SECONDS": "0.5"}
    house.requests = (WAITING,)
    house.start()
    waited(lambda: readiness(house) == 200)
    house.submit()
    waited(lambda: house.progress() > 0)
    (busy,) = house.workers()
    os.kill(busy, signal.SIGSTOP)
    waited(lambda: readiness(house) == 503)
    waited(lambda: readiness(house) == 200)
    assert judge(house) == 1
    (idle,) = house.workers()
    os.kill(idle, signal.SIGSTOP)
    assert readiness(house) == 503
    waited(lambda: readiness(house) == 200)
    assert len({busy, idle, *house.workers()}) == 3


def ask(
    house: House, fields: dict[str, Any], headers: dict[str, str] | None = None
) -> httpx.Response:
    return httpx.post(
        f"{house.http.base_url}/v1/certify",
        files={"image": ("p.png", house.picture)},
        data={"model": "digits-tiny"} | {name: str(value) for name, value in fields.items()},
        headers=headers,
        timeout=PATIENCE,
    )


def test_a_rolling_restart_loses_nothing(
    house: House, parse_events: Any, request: pytest.FixtureRequest
) -> None:
    """A second server over the same store, then SIGTERM to the first: jobs go on in the second, and
    a request that only waits or watches is told where its job is."""
    house.settings = {"AFFIDAVIT_DRAIN_SECONDS": "0.2"}
    house.start()
    waited(lambda: readiness(house) == 200)
    for _ in range(2):
        house.submit()
    waited(lambda: house.progress() > 0)
    second = House(house.folder, None, house.picture)
    request.addfinalizer(second.close)
    second.start()
    waited(lambda: readiness(second) == 200)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(ask, house, WAITING)
        watching = threads.submit(ask, house, WATCHING, {"accept": "text/event-stream"})
        # This question, the one that waits and the one that watches.
        waited(lambda: "requests_in_flight 3.0" in house.text("/metrics"))
        began = time.monotonic()
        house.close()
        took = time.monotonic() - began
        answer, stream = waiting.result(), watching.result()
    # The deadline, and what it takes to write things down and leave.
    assert took < 30
    second.asked, second.accepted = dict(house.asked), dict(house.accepted)
    if answer.status_code == 202:
        second.asked["waiting"] = WAITING
        second.accepted["waiting"] = answer.headers["location"]
    else:
        assert answer.status_code == 200 and answer.json()["samples"] == WAITING["samples"]
    name, told = parse_events(stream.text)[-1]
    if name == "job":
        second.asked["watching"] = WATCHING
        second.accepted["watching"] = f"/v1/jobs/{told['id']}"
    else:
        assert name == "result", told
        assert told["samples"] == WATCHING["samples"]
    assert judge(second) == len(second.asked) >= 2
