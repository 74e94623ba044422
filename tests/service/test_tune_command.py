"""`affidavit tune` on the tiny network: a table, advice, and an entry for this machine only."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from models.registry import card
from models.trials import Trial
from service.cli import app
from service.pool import tuning
from service.settings import Settings

TINY = card("digits-tiny")
TRIALS = [
    Trial("float32", 8, 10.0, 1.0, 1.0, 1.0),
    Trial("float32", 32, 20.0, 1.0, 1.0, 1.0),
    Trial("bfloat16", 32, 30.0, 0.999, 0.95, 1.0),
]


def test_the_command_measures_prints_and_keeps(tmp_path: Path) -> None:
    environment = {"AFFIDAVIT_DATA_DIR": str(tmp_path), "COLUMNS": "120"}
    done = CliRunner().invoke(app, ["tune", "digits-tiny", "--seconds", "0"], env=environment)
    assert done.exit_code == 0, done.output
    assert "bfloat16" in done.output and "quickest in float32 with" in done.output
    kept = tuning.kept(Settings(data_dir=tmp_path), TINY)
    assert kept is not None and {each.lanes for each in kept.trials} == {1, 8, 16, 32}
    assert done.output.count("100.0%") >= 2 * 4


@pytest.mark.parametrize("name", ["vgg", "efficientnet-lite0"])
def test_what_is_not_here_is_said(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFIDAVIT_WEIGHTS", str(tmp_path))
    done = CliRunner().invoke(app, ["tune", name])
    assert done.exit_code == 2
    assert name in done.output and ("unknown" in done.output or "make setup" in done.output)


def test_an_entry_holds_for_this_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path)
    assert tuning.kept(settings, TINY) is None and tuning.remembered(settings) == []
    file = tuning.keep(settings, TINY, TRIALS)
    found = tuning.kept(settings, TINY)
    assert found is not None and list(found.trials) == TRIALS
    assert tuning.kept(settings, replace(TINY, weights="0" * 64)) is None
    for change in ({"torch": "1.0"}, {"processor": "another"}, {"trials": ()}):
        other = msgspec.structs.replace(found, **change)
        file.write_bytes(msgspec.json.encode(other))
        assert tuning.kept(settings, TINY) is None
    file.write_bytes(b"{")
    assert tuning.kept(settings, TINY) is None


def test_the_server_says_what_was_found(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    tuning.keep(settings, TINY, TRIALS)
    first, second = tuning.remembered(settings)
    assert first.endswith("with 32 lanes (as the model card says), 20 samples/s")
    assert "1.5 times as fast with precision bfloat16 and 32 lanes" in second
    assert "95.0% of the votes" in second
    tuning.keep(settings, TINY, TRIALS[:1])
    (only,) = tuning.remembered(settings)
    assert only.endswith("with 8 lanes, 10 samples/s")


def test_a_gpu_has_entries_of_its_own(tmp_path: Path) -> None:
    tuning.keep(Settings(data_dir=tmp_path, device="cpu"), TINY, TRIALS)
    assert tuning.kept(Settings(data_dir=tmp_path, device="cuda:0"), TINY) is None
    assert tuning.kept(Settings(data_dir=tmp_path, device="cpu"), TINY) is not None
