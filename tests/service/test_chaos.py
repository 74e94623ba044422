"""Kill −9 of the worker, of the api process or of both, again and again, while jobs are at work:
every job that was accepted ends in the document that an undisturbed one would have been."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from certify.document import dumps
from certify.randomness import words
from certify.verify import verify
from service import pipeline
from service.orders import certify_order
from service.pipeline import Issue, Notes
from service.pool import LocalPool
from service.settings import Settings

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
# One is drawn to its end, one stops when its claim is proven; other noise; pictures one by one.
REQUESTS: tuple[dict[str, Any], ...] = (
    {"samples": 8_000, "radius": 0.02},
    {"samples": 20_000, "overlap": 0.5, "radius": 0.2, "scale": 0.5},
    {"samples": 6_000, "cell": 4, "law": "laplace", "norm": "1"},
    {"samples": 600, "strict": True},
)
AT_ONCE = 4
VICTIMS = ("worker", "api", "both")


@dataclass
class House:
    """A server that is started again whenever it was killed, at one address over one store."""

    folder: Path
    store: str | None
    picture: bytes
    keys: Iterator[int] = field(default_factory=count)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=5.0)

    def start(self) -> None:
        own = {
            "AFFIDAVIT_DEFAULT_MODEL": "digits-tiny",
            "AFFIDAVIT_WORKERS": "1",
            "AFFIDAVIT_DEVICE": "cpu",
            "AFFIDAVIT_CHUNK_SECONDS": "0.05",
            "AFFIDAVIT_CHECKPOINT_SECONDS": "0.1",
            "AFFIDAVIT_LEASE_SECONDS": "1",
            "AFFIDAVIT_DRAIN_SECONDS": "1",
            "PYTHONPATH": str(ROOT),
        }
        if self.store:
            own["AFFIDAVIT_STORE_URL"] = self.store
        self.process = subprocess.Popen(
            (sys.executable, "-m", "service", "serve", "--port", str(self.port)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | own,
            cwd=self.folder,
        )

    @property
    def api(self) -> int:
        assert self.process is not None
        return self.process.pid

    def workers(self) -> list[int]:
        """Process ids of the workers; none while the server is starting."""
        with suppress(OSError):
            children = Path(f"/proc/{self.api}/task/{self.api}/children").read_text().split()
            return [int(pid) for pid in children]
        return []

    def kill(self, victim: str) -> None:
        if victim in ("worker", "both"):
            for pid in self.workers():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if victim in ("api", "both"):
            assert self.process is not None
            self.process.kill()
            self.process.wait()
            self.start()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """The answer; None from a server that is not there."""
        try:
            return self.http.request(method, path, **options)
        except httpx.TransportError:
            return None

    def submit(self) -> None:
        """Ask for another job, as often as it takes until it is accepted."""
        number = next(self.keys)
        key = f"key-{number}"
        fields = REQUESTS[number % len(REQUESTS)] | {"key": f"{number:032x}"}
        self.asked[key] = fields
        self.resubmit(key)

    def resubmit(self, key: str) -> None:
        form = {name: str(value).lower() for name, value in self.asked[key].items()}
        response = self.ask(
            "POST",
            "/v1/certify",
            files={"image": ("p.png", self.picture)},
            data=form,
            headers={"prefer": "respond-async, wait=0", "idempotency-key": key},
        )
        if response is not None:
            assert response.status_code in (200, 202), response.text
            self.accepted[key] = response.headers["location"]

    def jobs(self) -> list[dict[str, Any]]:
        """Every job; none if the server is not there."""
        response = self.ask("GET", "/v1/jobs?limit=100")
        return [] if response is None or response.status_code != 200 else response.json()["jobs"]

    def busy(self) -> None:
        """New jobs when all are over; what was perhaps not accepted is asked again."""
        for key in self.asked:
            if key not in self.accepted:
                self.resubmit(key)
        jobs = self.jobs()
        over = all(job["state"] not in ("queued", "running") for job in jobs)
        if over and len(jobs) == len(self.accepted) == len(self.asked):
            for _ in range(AT_ONCE):
                self.submit()

    def progress(self) -> int:
        return sum(job["drawn"] for job in self.jobs())

    def close(self) -> None:
        self.http.close()
        assert self.process is not None
        self.process.terminate()
        self.process.wait(PATIENCE)


def waited(condition: Any, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def chaos(house: House, kills: int) -> None:
    """So many kills: some at any moment, the others once work has gone on since the last."""
    house.start()
    for number in range(kills):
        who, when, how_long = (int(word) for word in words(7, number, 0, 3))
        house.busy()
        if when % 2:
            before = house.progress()
            waited(lambda before=before: house.busy() or house.progress() != before)
        time.sleep(how_long % 500 / 1000)
        house.kill(VICTIMS[who % len(VICTIMS)])


def finished(house: House) -> list[dict[str, Any]]:
    """Every job, once all are over."""

    def over() -> bool:
        for key in house.asked:
            if key not in house.accepted:
                house.resubmit(key)
        jobs = house.jobs()
        states = {job["state"] for job in jobs}
        return len(jobs) == len(house.asked) and not states & {"queued", "running"}

    waited(over)
    return house.jobs()


def judge(house: House) -> int:
    """Compare every job's document with the undisturbed one; how many there were."""
    jobs = finished(house)
    assert {job["state"] for job in jobs} == {"done"}
    # Whatever was sent twice, because its answer was lost, is one job.
    assert sorted(house.accepted.values()) == sorted(f"/v1/jobs/{job['id']}" for job in jobs)
    for key, address in house.accepted.items():
        response = house.http.get(f"{address}/certificate")
        document = response.json()["certificate"]
        expected = asyncio.run(undisturbed(house.picture, house.asked[key], document))
        assert dumps(document) == expected, house.asked[key]
        assert verify(dumps(document)).holds
    return len(jobs)


async def undisturbed(picture: bytes, fields: dict[str, Any], document: dict[str, Any]) -> bytes:
    order = certify_order({"model": "digits-tiny"} | fields, False, Settings())
    subject = pipeline.receive(picture, order.card, 10**6)
    notes = Notes(Issue(document["identifier"], document["issued"]))
    pool = LocalPool(device="cpu")
    await pool.start()
    try:
        steps = pipeline.certify(pool, order, subject, proofs=False, notes=notes)
        return dumps([step async for step in steps][-1].document)
    finally:
        await pool.stop()


@pytest.fixture
def house(tmp_path: Path, picture: bytes) -> Iterator[House]:
    made = House(tmp_path, None, picture)
    yield made
    made.close()


@pytest.fixture
def house_on_postgresql(tmp_path: Path, picture: bytes, postgresql: str) -> Iterator[House]:
    admin = create_engine(
        make_url(postgresql).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE chaos"))
    admin.dispose()
    made = House(tmp_path, postgresql.replace("/postgres?", "/chaos?"), picture)
    yield made
    made.close()


def test_ten_kills_change_no_document(house: House) -> None:
    chaos(house, 10)
    assert judge(house) >= AT_ONCE


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills_change_no_document(house: House) -> None:
    chaos(house, 100)
    assert judge(house) > AT_ONCE


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_kills_change_no_document_on_postgresql(house_on_postgresql: House) -> None:
    chaos(house_on_postgresql, 20)
    assert judge(house_on_postgresql) >= AT_ONCE
