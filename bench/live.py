"""A real server for measurements: started, asked, looked at, ended."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bench.provenance import ROOT
from service.settings import bundled_photo

NPY = {"accept": "application/octet-stream"}
LATER = {"prefer": "respond-async"}
MODELS = ("digits-tiny", "efficientnet-lite0")
PATIENCE = 120.0


@dataclass(frozen=True)
class Start:
    """Until the first answered /healthz: seconds, and the api process's processor seconds."""

    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Shares:
    """What the api process has of something, and what its workers have together."""

    api: float
    workers: float

    def rounded(self, digits: int | None = None) -> dict[str, float]:
        """As numbers for a record."""
        return {"api": round(self.api, digits), "workers": round(self.workers, digits)}


@dataclass
class Server:
    """A running server."""

    url: str
    process: "subprocess.Popen[bytes]"
    start: Start

    def memory(self) -> Shares:
        """Resident memory in MiB."""
        return self._shares(_resident)

    def computed(self) -> Shares:
        """Processor seconds so far."""
        return self._shares(_computed)

    def processor_seconds(self) -> float:
        """What the api process and its workers have computed so far."""
        return sum(_computed(pid) for pid in self.pids())

    def pids(self) -> list[int]:
        """The api process and its workers."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def _shares(self, of: Callable[[int], float]) -> Shares:
        api, *workers = self.pids()
        return Shares(of(api), sum(map(of, workers)))


class Line:
    """One connection to a server and one request, written once and sent over it again and again: a
    client that costs next to nothing."""

    def __init__(self, server: Server, path: str, headers: dict[str, str], **fields: Any) -> None:
        request = httpx.Request("POST", server.url + path, headers=headers, **fields)
        self._path, self._body, self._headers = path, request.read(), dict(request.headers)
        self._connection = HTTPConnection(request.url.host, request.url.port, timeout=PATIENCE)

    def seconds(self, count: int) -> list[float]:
        """How long each of so many answers took, one after another. Raises for a refusal."""
        # The server may have hung up on a connection that was quiet for long.
        self._connection.close()
        return [self._ask() for _ in range(count)]

    def _ask(self) -> float:
        began = time.monotonic()
        self._connection.request("POST", self._path, self._body, self._headers)
        answer = self._connection.getresponse()
        body, took = answer.read(), time.monotonic() - began
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"{self._path} answers {answer.status}: {body[:200]!r}")
        return took


def _computed(pid: int) -> float:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return int(found[0]) / 1024 if found else 0.0


@contextmanager
def serving(
    folder: Path, model: str, workers: int = 0, longest_wait: float = 100.0, reserve: int = 0
) -> Iterator[Server]:
    """A server over a store of its own, ready for requests.

    workers: 0 for as many as the server thinks best. longest_wait: seconds that it lets a request
    wait for its certificate. reserve: workers that only look at clean pictures.
    """
    port = 18_000 + os.getpid() % 1000 + 1000 * workers
    own = {
        "AFFIDAVIT_DATA_DIR": str(folder),
        "AFFIDAVIT_DEFAULT_MODEL": model,
        "AFFIDAVIT_WORKERS": str(workers),
        "AFFIDAVIT_RESERVE": str(reserve),
        "AFFIDAVIT_LONGEST_WAIT_SECONDS": str(longest_wait),
        "PYTHONPATH": str(ROOT),
    }
    began = time.monotonic()
    process = subprocess.Popen(
        (sys.executable, "-m", "service", "serve", "--port", str(port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | own,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _answers(f"{url}/healthz")
        start = Start(round(time.monotonic() - began, 2), _computed(process.pid))
        _answers(f"{url}/readyz")
        yield Server(url, process, start)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(url: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if httpx.get(url, timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.005)
    raise TimeoutError(f"{url} does not answer")


def form(model: str, **fields: Any) -> dict[str, Any]:
    """A request with the bundled photograph."""
    data = {name: str(value) for name, value in ({"model": model} | fields).items()}
    return {"files": {"image": ("photo.jpg", bundled_photo().read_bytes())}, "data": data}


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile, in milliseconds."""
    p50, p95 = np.quantile(seconds, (0.5, 0.95))
    return {"p50_ms": round(1000 * float(p50), 2), "p95_ms": round(1000 * float(p95), 2)}
