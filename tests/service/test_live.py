"""The real server in its own process, with a real worker: what a caller on the network sees."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.commands.sources import Remote, Unreachable
from service.results import CertifyAnswer, Progress

# Hours of work for the tiny network.
MANY = 100_000_000
PATIENCE = 60.0


@dataclass(frozen=True)
class Server:
    """A running server: its process id, its URL, and what it printed once it was ready."""

    pid: int
    url: str
    curl: str
    folder: Path

    def worker(self) -> int:
        """Process id of its one worker."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return next(int(pid) for pid in children if b"worker_process" in command(pid))


def command(pid: str) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def serve(folder: Path, **settings: str) -> subprocess.Popen[str]:
    """A server on a free port with one worker, its working directory `folder`."""
    environment = {
        "AFFIDAVIT_WORKERS": "1",
        "AFFIDAVIT_MAX_SAMPLES": str(MANY),
        "AFFIDAVIT_QUEUE_SAMPLES": str(10 * MANY),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    return subprocess.Popen(
        (sys.executable, "-m", "service", "serve", "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | environment | settings,
        cwd=folder,
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    process = serve(
        folder,
        AFFIDAVIT_DEFAULT_MODEL="digits-tiny",
        AFFIDAVIT_DEVICE="cpu",
        AFFIDAVIT_CHUNK_SECONDS="0.1",
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().removeprefix("affidavit serves on ").strip()
        curl = next(line.strip() for line in process.stdout if line.startswith("curl "))
        yield Server(process.pid, url, curl, folder)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
        process.stdout.close()


def ready(server: Server) -> bool:
    return httpx.get(f"{server.url}/readyz", timeout=PATIENCE).status_code == 200


def wait_for(server: Server, wanted: bool) -> None:
    end = time.monotonic() + PATIENCE
    while ready(server) is not wanted:
        assert time.monotonic() < end, f"readiness never became {wanted}"
        time.sleep(0.02)


def wait_until(server: Server, state: str) -> None:
    end = time.monotonic() + PATIENCE
    while f'"{state}"' not in httpx.get(f"{server.url}/readyz", timeout=PATIENCE).text:
        assert time.monotonic() < end, f"the worker never was {state}"


def test_the_printed_curl_line_works_as_it_stands(server: Server) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    done = subprocess.run(
        server.curl, shell=True, cwd=server.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (server.folder / "regions.png").read_bytes().startswith(b"\x89PNG")


def test_only_the_worker_has_torch_in_its_memory(server: Server, picture: bytes) -> None:
    files = {"image": ("p.png", picture)}
    fields = {"model": "digits-tiny", "samples": "64"}
    answer = httpx.post(f"{server.url}/v1/certify", files=files, data=fields, timeout=PATIENCE)
    assert answer.status_code == 200
    assert "libtorch" not in Path(f"/proc/{server.pid}/maps").read_text()
    assert "libtorch" in Path(f"/proc/{server.worker()}/maps").read_text()


def test_other_requests_are_answered_while_one_draws(server: Server, picture: bytes) -> None:
    async def both() -> tuple[int, list[int]]:
        alive = []
        steps = Remote(server.url).certify(picture, {"model": "digits-tiny", "samples": MANY})
        async with httpx.AsyncClient() as client:
            async for step in steps:
                assert isinstance(step, Progress)
                alive.append((await client.get(f"{server.url}/healthz")).status_code)
                if len(alive) == 5:
                    break
        await steps.aclose()
        return step.samples, alive

    samples, alive = asyncio.run(both())
    assert samples < MANY and alive == [200] * 5


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_caller_who_hangs_up_keeps_no_worker_busy(
    server: Server, picture: bytes, accept: str
) -> None:
    """All MANY samples would take far longer than this test waits."""
    request = {
        "files": {"image": ("p.png", picture)},
        "data": {"model": "digits-tiny", "samples": str(MANY)},
        "headers": {"accept": accept},
    }

    def ask() -> None:
        with httpx.stream("POST", f"{server.url}/v1/certify", timeout=1.0, **request) as response:
            next(response.iter_bytes())
            raise httpx.ReadTimeout("seen enough")

    with pytest.raises(httpx.ReadTimeout):
        ask()
    wait_until(server, "idle")


def ask(server: Server, picture: bytes, samples: int, accept: str) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/certify",
        files={"image": ("p.png", picture)},
        data={"model": "digits-tiny", "samples": str(samples)},
        headers={"accept": accept},
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_killed_worker_costs_no_request_and_comes_back(
    server: Server, picture: bytes, parse_events: Any, accept: str
) -> None:
    """kill -9 in the middle of a request: red, then green, and the request is answered."""
    wait_until(server, "idle")
    victim = server.worker()
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(ask, server, picture, 6_000, accept)
        wait_until(server, "busy")
        os.kill(victim, signal.SIGKILL)
        wait_for(server, False)
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        response = asked.result(PATIENCE)
    assert response.status_code == 200
    told = response.json() if accept == "application/json" else parse_events(response.text)[-1][1]
    assert told["samples"] == 6_000
    assert ready(server) and server.worker() != victim


def test_the_remote_source_brings_progress_and_a_certificate(
    server: Server, picture: bytes
) -> None:
    wait_for(server, True)

    async def ask() -> list[Progress | CertifyAnswer]:
        fields = {"model": "digits-tiny", "samples": 2000, "radius": 0.01}
        return [step async for step in Remote(server.url).certify(picture, fields)]

    *progress, answer = asyncio.run(ask())
    assert progress and isinstance(answer, CertifyAnswer)
    assert answer.samples == 2000 and answer.pictures is not None
    assert answer.answer.radius == 0.01


def test_an_address_without_a_server_is_said_in_words() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        asyncio.run(Remote("http://127.0.0.1:9").models())


def test_an_interrupted_server_keeps_or_answers_what_is_at_work_and_takes_its_worker_along(
    picture: bytes, tmp_path: Path
) -> None:
    process = serve(tmp_path, AFFIDAVIT_DRAIN_SECONDS="0.5")
    assert process.stdout is not None
    with process.stdout as lines:
        url = lines.readline().removeprefix("affidavit serves on ").strip()
        next(line for line in lines if line.startswith("curl "))
        running = Server(process.pid, url, "", tmp_path)
        worker = running.worker()

        def ask(verb: str, **fields: str) -> httpx.Response:
            form = {"model": "digits-tiny", "samples": str(MANY)} | fields
            files = {"image": ("p.png", picture)}
            return httpx.post(f"{url}/v1/{verb}", files=files, data=form, timeout=PATIENCE)

        with ThreadPoolExecutor() as threads:
            certifying = threads.submit(ask, "certify")
            explaining = threads.submit(ask, "explain", method="smoothgrad")
            wait_until(running, "busy")
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            kept, failed = certifying.result(PATIENCE), explaining.result(PATIENCE)
        process.wait(PATIENCE)
    assert kept.status_code == 202 and kept.headers["location"] == f"/v1/jobs/{kept.json()['id']}"
    assert failed.status_code == 503 and "stopping" in failed.json()["detail"]
    assert not Path(f"/proc/{worker}").exists()


def test_a_port_that_is_taken_is_said_in_words(server: Server) -> None:
    port = server.url.rsplit(":", 1)[1]
    done = subprocess.run(
        (sys.executable, "-m", "service", "serve", "--port", port),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "in use" in done.stderr and "Traceback" not in done.stderr
