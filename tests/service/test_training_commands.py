"""`affidavit train` and `affidavit evaluate` from end to end, on the digits that ship."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from models import registry
from service.cli import app

ROOT = Path(__file__).parents[2]
DIGITS = f"digits:{ROOT / 'examples' / 'digits'}"
NOTHING = ("--attacked", "0", "--explained", "0", "--certified", "0")
SHORT = ("--data", DIGITS, "--architecture", "tiny", "--epochs", "2", "--rate", "0.01")


@pytest.fixture(autouse=True)
def few_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    registry.cards.cache_clear()


def run(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(each) for each in arguments])


def test_what_is_trained_is_listed_evaluated_and_certified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "trained"
    done = run(
        "train",
        "noise",
        *SHORT,
        "--name",
        "digits-noise",
        "--set",
        "scales=0,0.25",
        "--device",
        "cpu",
        "--out",
        out,
    )
    assert done.exit_code == 0, done.output
    assert "digits-noise: 0." in done.output and f"AFFIDAVIT_MODELS={out}" in done.output
    assert {path.name for path in out.iterdir()} == {
        "digits-noise.toml",
        "digits-noise.safetensors",
        "digits-noise-classes.txt",
        "digits-noise-run",
    }
    monkeypatch.setenv("AFFIDAVIT_MODELS", str(out))
    registry.cards.cache_clear()
    assert "digits-noise" in run("models").output

    quick = ("--attacked", 20, "--explained", 0, "--certified", 1, "--samples", 100, "--steps", 2)
    done = run(
        "evaluate",
        "digits-noise",
        "--data",
        DIGITS,
        "--against",
        "digits-tiny",
        *quick,
        "--plots",
        "--device",
        "cpu",
        "--out",
        tmp_path,
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    assert "digits-noise" in done.output and "difference" in done.output
    made = json.loads((tmp_path / "evaluation.json").read_text())["examinations"]
    assert [each["model"] for each in made] == ["digits-noise", "digits-tiny"]
    assert made[1]["clean"]["accuracy"] == pytest.approx(0.992, abs=5e-4)

    photo, certificates = ROOT / "tests" / "data" / "digits" / "3.png", tmp_path / "certificate"
    environment = os.environ | {"AFFIDAVIT_MODELS": str(out)}
    command = [
        sys.executable,
        "-m",
        "service",
        "certify",
        str(photo),
        "--model",
        "digits-noise",
        "--samples",
        "200",
        "--out",
        str(certificates),
    ]
    served = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert served.returncode == 0, served.stderr
    document = json.loads((certificates / "certificate.json").read_text())
    assert "digits-noise" in json.dumps(document)
    assert run("verify", certificates / "certificate.json").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("magic", *SHORT, "--name", "x"), "recipe is 'magic'; it must be one of standard"),
        (
            ("pgd", *SHORT, "--name", "x", "--set", "bound"),
            "--set is 'bound'; it must be name=value",
        ),
        (("pgd", *SHORT, "--name", "X"), "name is 'X'; it must be small letters"),
        (("pgd", "--data", "digits:nowhere", "--name", "x"), "data folder 'nowhere' is not there"),
        (("sat", *SHORT, "--name", "x"), "source is annotation, but this data set has no masks"),
        (("pgd", *SHORT, "--name", "x", "--device", "tpu"), "device is 'tpu'; it must be auto"),
    ],
)
def test_what_cannot_be_trained_is_said(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    done = run("train", *arguments, "--out", tmp_path)
    assert done.exit_code == 2, done.output
    assert words in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vgg", "--data", DIGITS), "model 'vgg' is unknown"),
        (("efficientnet-lite0", "--data", DIGITS), "pictures of digits are 16×16"),
        (("digits-tiny", "--data", DIGITS, "--steps", "0"), "must be at least 1"),
        (
            ("digits-tiny", "--data", DIGITS, "--bound", "0.5"),
            "bound is 0.5; it must lie in 1..255",
        ),
        (
            ("digits-tiny", "--data", DIGITS, "--samples", "0"),
            "samples is 0; it must be at least 1",
        ),
        (("digits-tiny", "--data", DIGITS, "--scale", "-1"), "scale is -1.0; it must not be neg"),
        (
            ("digits-tiny", "--data", DIGITS, "--plots", "--clean", "9", *NOTHING),
            "nothing was measured that can be drawn; ask for attacked, explained or certified",
        ),
    ],
)
def test_what_cannot_be_measured_is_said(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    done = run("evaluate", *arguments, "--out", tmp_path)
    assert done.exit_code == 2, done.output
    assert words in done.output


def test_a_folder_of_models_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFIDAVIT_MODELS", str(tmp_path / "none"))
    registry.cards.cache_clear()
    done = run("models")
    assert done.exit_code == 2 and "it must be a folder of model cards" in done.output
