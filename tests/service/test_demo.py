"""The demo, as a newcomer runs it, on the tiny network; and how it says that it failed."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from certify.document import dumps
from certify.verify import verify
from service import demo
from service.results import CertifyAnswer

ROOT = Path(__file__).parents[2]


def run(*options: object) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "service.demo", *map(str, options))
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_demo_certifies_verifies_and_says_where_everything_is(tmp_path: Path) -> None:
    done = run("--out", tmp_path, "--model", "digits-tiny", "--samples", 400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for wanted in (
        "400/400 samples",
        "(explained)",
        "most important regions",
        "counts: 400 samples of 16 votes, recounted",
        "certificate.json holds",
    ):
        assert wanted in done.stdout
    pictures, numbers = ("overlay.png", "regions.png"), ("map.npy", "radii.npy")
    for name in (*pictures, *numbers, "certificate.json", "report.html"):
        assert str(tmp_path / name) in done.stdout
        assert (tmp_path / name).stat().st_size > 100
    assert verify((tmp_path / "certificate.json").read_bytes()).holds


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--model", "vgg"), "known models are"),
        (("--photo", "/nowhere.jpg"), "cannot read /nowhere.jpg"),
        (("--port", "99999"), "the server ended or never said its address"),
    ],
)
def test_a_demo_that_fails_says_why_and_ends_with_1(
    tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    done = run("--out", tmp_path / "out", *options)
    assert done.returncode == 1
    assert says in done.stdout and "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "out").exists()


def test_a_document_that_does_not_hold_fails_the_demo(
    client: Any, picture: bytes, tmp_path: Path
) -> None:
    answer = CertifyAnswer.model_validate(client.certify(picture, samples=100).json())
    answer.certificate["certificate"]["curve"][0]["radius"] = 0.9
    path = tmp_path / "certificate.json"
    path.write_bytes(dumps(answer.certificate))
    console = Console(record=True)
    with pytest.raises(demo.DemoFailed, match="refuses"):
        demo._verify(path, console)
    assert "does NOT hold" in console.export_text()
