"""The README is true: its commands run as printed, its links lead somewhere."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from certify.verify import verify

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
PATIENCE = 120.0

pytestmark = pytest.mark.skipif(
    not (ROOT / ".venv" / "ready").exists(), reason="runs the set-up that `make setup` makes"
)


def shell(block: str) -> subprocess.CompletedProcess[str]:
    """Run a block as a reader would paste it, stopping at the first failure."""
    command = ["bash", "-euo", "pipefail", "-c", block]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a service started by `make serve`, ready to answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    process = subprocess.Popen(
        ["make", "serve"],
        cwd=ROOT,
        env=os.environ | {"AFFIDAVIT_PORT": str(number)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await_ready(number)
        yield number
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(PATIENCE)


def _await_ready(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.3)
    raise TimeoutError("the service of `make serve` was not ready in time")


def test_the_blocks_are_the_ones_tested_below() -> None:
    starts = [block.split()[0:2] for block in BLOCKS]
    assert starts == [
        ["make", "demo"],
        ["make", "test"],
        ["curl", "-sS"],
        [".venv/bin/affidavit", "certify"],
    ]


WRITTEN = ("overlay.png", "regions.png", "certificate.json")


def forget(folder: Path) -> None:
    """Take away what an earlier run left there, so that this one has to write it."""
    for name in WRITTEN:
        (folder / name).unlink(missing_ok=True)


def test_make_demo() -> None:
    forget(ROOT / "out")
    done = shell(BLOCKS[0])
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"At least \d+ of the 49 most important regions stay", done.stdout)
    assert "certificate.json holds" in done.stdout
    for name in WRITTEN:
        assert (ROOT / "out" / name).stat().st_size > 10_000


def test_make_test_runs_the_tests() -> None:
    """Not run again from inside itself: what it would run is looked at."""
    planned = shell(BLOCKS[1].replace("make test", "make --dry-run test"))
    assert "-m pytest" in planned.stdout


def test_the_curl_line(port: int) -> None:
    done = shell(BLOCKS[2].replace("8000", str(port)))
    assert done.returncode == 0, done.stderr
    answer = httpx.Response(200, text=done.stdout).json()
    assert re.search(r"at least \d+ of the 49 most important", answer["summary"][0])
    assert answer["certificate"]["question"]["samples"] == 400


def test_offline_and_verified() -> None:
    forget(ROOT / "out" / "offline")
    done = shell(BLOCKS[3])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "certificate.json holds. It says:" in done.stdout
    assert verify((ROOT / "out" / "offline" / "certificate.json").read_bytes()).holds


def links(path: Path) -> list[str]:
    return re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())


@pytest.mark.parametrize(
    "path",
    [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_lead_to_files(path: Path) -> None:
    for link in links(path):
        assert (path.parent / link).exists(), f"{path.name} links to {link}, which is not there"
