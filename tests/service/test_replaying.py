"""`affidavit certify` and `verify --replay`, as an auditor types them, each in a process of its own
that loads the tiny network."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from certify.document import dumps
from models.replay import Replay
from service import cli
from service.commands import replaying
from service.commands.complaints import Impossible
from service.settings import Settings

ROOT = Path(__file__).parents[2]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "service", *map(str, arguments))
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_a_replay_finds_nothing_different_and_finds_invented_evidence_out(
    client: Any, picture: bytes, tmp_path: Path
) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "out"
    photo.write_bytes(picture)
    options = ("--model", "digits-tiny", "--samples", 100, "--out", out)
    made = run("certify", photo, *options)
    assert made.returncode == 0, made.stderr
    honest = run("verify", out / "certificate.json", "--replay", photo)
    assert honest.returncode == 0, honest.stdout + honest.stderr
    assert "100/100 samples drawn again" in honest.stdout
    assert "ok      replay: 0 of 1600 votes differ, 0 of 100 predictions" in honest.stdout

    # The pool of these tests invents its votes; all else in its documents is in order.
    invented = tmp_path / "invented.json"
    answer = client.certify(picture, samples=100).json()
    invented.write_bytes(dumps(answer["certificate"]))
    found = CliRunner().invoke(cli.app, ["verify", str(invented), "--replay", str(photo)])
    assert found.exit_code == 1
    assert "invented.json holds" in found.stdout
    assert "the evidence is not of this network and picture" in found.stdout


@pytest.fixture
def made(client: Any, picture: bytes) -> Any:
    return client.certify(picture, samples=100).json()["certificate"]


def test_another_picture_fails(made: Any, coffee: bytes) -> None:
    console = Console(record=True, width=200)
    assert replaying.run(dumps(made), coffee, Settings(), console) == 1
    assert "FAILED  replay: this picture has SHA-256" in console.export_text()


def test_what_is_not_installed_cannot_be_replayed(made: Any, picture: bytes) -> None:
    other = json.loads(dumps(made))
    other["plan"]["model"] = "vgg"
    with pytest.raises(Impossible, match="cannot replay: model 'vgg' is unknown"):
        replaying.run(dumps(other), picture, Settings(), Console())
    lanes = json.loads(dumps(made))
    lanes["plan"]["recipe"]["lanes"] = 7
    with pytest.raises(Impossible, match="cannot replay: lanes is 7; it must be one of 1, 8"):
        replaying.run(dumps(lanes), picture, Settings(), Console())


def test_the_words_say_what_was_compared() -> None:
    alike = Replay(10, 1000, 0, 0, "votes", True, True)
    assert replaying.words(alike) == "ok      replay: 0 of 1000 votes differ, 0 of 10 predictions"
    said = replaying.words(Replay(10, 1000, 11, 0, "votes", False, False))
    assert said.startswith("FAILED  replay: at least 11 of 1000 votes differ")
    assert "not the one that was sent" in said and "more than one in a hundred" in said


@pytest.fixture
def coffee() -> bytes:
    photo: bytes = (ROOT / "examples" / "photos" / "coffee.jpg").read_bytes()
    return photo
