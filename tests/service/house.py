"""A real server that tests may kill, stop and start again, and what its jobs must come to."""

import asyncio
import json
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

from certify.document import dumps
from certify.verify import verify
from service import pipeline
from service.orders import certify_order
from service.pipeline import Issue, Notes
from service.pool.pools import LocalPool
from service.settings import Settings

ROOT = Path(__file__).parents[2]
# Machines that do much else are slow to start a server; what hangs hangs for ever.
PATIENCE = 240.0
# One is drawn to its end, one stops when its claim is proven; other noise; pictures one by one.
REQUESTS: tuple[dict[str, Any], ...] = (
    {"samples": 8_000, "radius": 0.02},
    {"samples": 20_000, "overlap": 0.5, "radius": 0.2, "scale": 0.5},
    {"samples": 6_000, "cell": 4, "law": "laplace", "norm": "1"},
    {"samples": 600, "strict": True},
)
# The same, over soon, so that many different ones are at work when something is killed.
SHORT: tuple[dict[str, Any], ...] = (
    {"samples": 1_000, "radius": 0.02},
    {"samples": 2_500, "overlap": 0.5, "radius": 0.2, "scale": 0.5},
    {"samples": 700, "cell": 4, "law": "laplace", "norm": "1"},
    {"samples": 90, "strict": True},
)
AT_ONCE, PAGE = 4, 100
OVER = ("done", "failed", "cancelled")


@dataclass
class House:
    """A server that is started again whenever it was killed, at one address over one store."""

    folder: Path
    store: str | None
    picture: bytes
    keys: Iterator[int] = field(default_factory=count)
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    requests: tuple[dict[str, Any], ...] = REQUESTS
    process: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20.0)

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
            env=os.environ | own | self.settings,
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

    def ready(self) -> bool:
        """Whether a worker answers."""
        response = self.ask("GET", "/readyz")
        return response is not None and response.status_code == 200

    def text(self, path: str) -> str:
        """What the server says there; nothing if it is not there."""
        response = self.ask("GET", path)
        return "" if response is None else response.text

    def submit(self) -> None:
        """Ask for another job, as often as it takes until it is accepted."""
        number = next(self.keys)
        key = f"key-{number}"
        fields = self.requests[number % len(self.requests)] | {"key": f"{number:032x}"}
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
        listed: list[dict[str, Any]] = []
        after: str | None = ""
        while after is not None:
            response = self.ask("GET", f"/v1/jobs?limit={PAGE}{after and '&after=' + after}")
            if response is None or response.status_code != 200:
                return []
            listed += response.json()["jobs"]
            after = response.json()["next"]
        return listed

    def look(self) -> list[str]:
        """Look at the jobs that were not known to be over; addresses of those that are at work."""
        at_work = []
        for address in self.accepted.values():
            if self.seen.get(address, {}).get("state") in OVER:
                continue
            response = self.ask("GET", address)
            if response is not None and response.status_code == 200:
                self.seen[address] = response.json()
                at_work += [address] if response.json()["state"] == "running" else []
        return at_work

    @property
    def is_over(self) -> bool:
        """Whether everything that was asked for is known to be over."""
        states = [self.seen.get(address, {}).get("state") for address in self.accepted.values()]
        return len(states) == len(self.asked) and all(state in OVER for state in states)

    def busy(self) -> list[str]:
        """Ask again for what was perhaps not accepted, and for a new job for each that is over;
        addresses of the jobs at work."""
        for key in self.asked:
            if key not in self.accepted:
                self.resubmit(key)
        at_work = self.look()
        if len(self.accepted) == len(self.asked):
            over = sum(job["state"] in OVER for job in self.seen.values())
            for _ in range(AT_ONCE - len(self.asked) + over):
                self.submit()
        return at_work

    def progress(self) -> int:
        """Samples drawn for all jobs, as far as is known."""
        self.look()
        return sum(job["drawn"] for job in self.seen.values())

    def close(self) -> None:
        self.http.close()
        assert self.process is not None
        self.process.terminate()
        self.process.wait(PATIENCE)


def waited(condition: Any, seconds: float = PATIENCE, pause: float = 0.02) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(pause)


def finished(house: House) -> list[dict[str, Any]]:
    """Every job, once all are over."""

    def over() -> bool:
        for key in house.asked:
            if key not in house.accepted:
                house.resubmit(key)
        house.look()
        return house.is_over

    waited(over, pause=0.1)
    waited(lambda: len(house.jobs()) >= len(house.asked))
    return house.jobs()


def judge(house: House) -> int:
    """Compare every job's document with the undisturbed one; how many there were."""
    jobs = finished(house)
    assert {job["state"] for job in jobs} == {"done"}
    # Whatever was sent twice, because its answer was lost, is one job.
    assert sorted(house.accepted.values()) == sorted(f"/v1/jobs/{job['id']}" for job in jobs)
    for key, address in house.accepted.items():
        waited(lambda address=address: house.text(f"{address}/certificate"))
        document = json.loads(house.text(f"{address}/certificate"))["certificate"]
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
