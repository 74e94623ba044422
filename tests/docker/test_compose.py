"""`docker compose up` from a clean clone: built, run, asked, every container restarted in mid-job.

Needs a Docker engine; takes several minutes where nothing is cached."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from certify.verify import verify

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "examples/photos/coffee.jpg"
DIGIT = ROOT / "tests/data/digits/0.png"
# Half a minute of work for the tiny network.
MANY = 60_000
PORT = 18473
URL = f"http://127.0.0.1:{PORT}"
NAME = "affidavit-test"
PATIENCE = 240.0
KEY = "000102030405060708090a0b0c0d0e0f"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


def engine() -> str | None:
    """Why there is no Docker engine with compose here; None if there is."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    for command in (("docker", "info"), ("docker", "compose", "version")):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["it failed"])[-1]
    return None


class Composed:
    """The composition of a clean clone, under a name and a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "PUBLISH": f"127.0.0.1:{PORT}",
            "AFFIDAVIT_WORKERS": "1",
            "COMPOSE_PROJECT_NAME": NAME,
        }

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            ("docker", "compose", *arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def inspect(self, service: str) -> Any:
        (name,) = self("ps", "-q", service).split()
        done = subprocess.run(("docker", "inspect", name), capture_output=True, check=True)
        return json.loads(done.stdout)[0]


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    if why := engine():
        pytest.skip(f"NOT TESTED: images and composition need a Docker engine; here: {why}")
    folder = tmp_path_factory.mktemp("clone") / "affidavit"
    subprocess.run(("git", "clone", "-q", str(ROOT), str(folder)), check=True)
    made = Composed(folder)
    made("up", "--build", "--detach", "--wait")
    try:
        yield made
    finally:
        made("down", "--volumes", "--timeout", "5")


def start() -> str:
    """Address of a new job about a digit."""
    answer = httpx.post(
        f"{URL}/v1/certify",
        files={"image": ("p.png", DIGIT.read_bytes())},
        data={"model": "digits-tiny", "samples": str(MANY), "key": KEY},
        headers={"prefer": "respond-async"},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
    return URL + answer.headers["location"]


def look(job: str) -> dict[str, Any] | None:
    """The job as it is told; None while nobody answers."""
    try:
        answer = httpx.get(job, timeout=10)
    except httpx.HTTPError:
        return None
    return answer.json() if answer.status_code == 200 else None


def until(job: str, drawn: int) -> dict[str, Any]:
    """The job once so much of it is drawn, or it is over."""
    end = time.monotonic() + PATIENCE
    while True:
        told = look(job)
        if told and (told["drawn"] >= drawn or told["state"] in ("done", "failed", "cancelled")):
            return told
        assert time.monotonic() < end, f"{job} is {told}"
        time.sleep(0.2)


def proven(job: str) -> dict[str, Any]:
    """The document of a job, without what each issue says anew: its name and its time."""
    assert until(job, sys.maxsize)["state"] == "done"
    document = httpx.get(f"{job}/certificate", timeout=60).json()["certificate"]
    assert verify(json.dumps(document).encode()).holds
    return {name: value for name, value in document.items() if name not in ("identifier", "issued")}


def test_it_serves_the_main_job(composed: Composed) -> None:
    answer = httpx.post(
        f"{URL}/v1/certify",
        files={"image": ("p.jpg", PHOTO.read_bytes())},
        data={"samples": "64"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["label"] == "espresso"
    assert verify(json.dumps(answer.json()["certificate"]).encode()).holds
    assert httpx.get(f"{URL}/readyz").json()["ready"] is True


def test_every_container_is_nobody_with_nothing_to_write_on(composed: Composed) -> None:
    for service in ("api", "worker", "db"):
        host = composed.inspect(service)["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["Memory"] > 0
        assert "no-new-privileges:true" in host["SecurityOpt"]
    for service in ("api", "worker"):
        assert composed("exec", service, "id", "-u").strip() == "10001"
        assert "Read-only" in composed("exec", service, "sh", "-c", "touch /opt/x 2>&1 || true")
    assert composed.inspect("worker")["HostConfig"]["NetworkMode"] == "none"


@pytest.fixture(scope="module")
def undisturbed(composed: Composed) -> dict[str, Any]:
    return proven(start())


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("service", ["worker", "api", "db"])
def test_a_job_outlives_the_restart_of_each_container(
    composed: Composed, undisturbed: dict[str, Any], service: str, signal: str
) -> None:
    job = start()
    told = until(job, 1)
    assert told["state"] == "running"
    if signal == "SIGTERM":
        composed("restart", service)
    else:
        composed("kill", "--signal", signal, service)
        composed("start", service)
    assert proven(job) == undisturbed


def test_a_server_for_others_wants_keys(composed: Composed) -> None:
    made = Composed(composed.folder)
    made.environment = composed.environment | {"ALLOW_ANYONE": "false"}
    key = made("run", "--rm", "--no-deps", "-T", "api", "api-keys", "add", "alice").split()[-1]
    made("up", "--detach", "--wait")
    asked = {"headers": {"authorization": f"Bearer {key}"}, "timeout": 30}
    assert httpx.get(f"{URL}/v1/models", timeout=30).status_code == 401
    assert httpx.get(f"{URL}/v1/models", **asked).status_code == 200
    assert httpx.get(f"{URL}/healthz", timeout=30).status_code == 200
