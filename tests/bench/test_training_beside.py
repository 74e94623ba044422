"""Measures that are added to a record: kept, not measured twice, of the examined network alone."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.training_beside import add
from models import registry
from models.loading import Network


@pytest.fixture(autouse=True)
def cards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AFFIDAVIT_MODELS", "")
    registry.cards.cache_clear()
    yield
    registry.cards.cache_clear()


def record(folder: Path, weights: str) -> Path:
    (folder / "models").mkdir()
    examination = {"model": "digits-tiny", "weights": weights, "paper": {"samples": 7}}
    units = [{"arm": name, "examination": examination} for name in ("pgd", "trades")]
    path = folder / "training-x.json"
    path.write_text(json.dumps({"units": units}))
    return path


def test_a_network_is_measured_once(tmp_path: Path) -> None:
    weights, asked = registry.card("digits-tiny").weights, []
    path = record(tmp_path, weights)

    def measure(network: Network, paper: Mapping[str, Any]) -> int:
        asked.append(network.card.name)
        return 6 * int(paper["samples"])

    for _ in range(2):
        add(path, "deeper", measure)
    assert asked == ["digits-tiny"]
    assert [unit["deeper"] for unit in json.loads(path.read_text())["units"]] == [42, 42]
    assert json.loads((tmp_path / "training-x.deeper").read_text()) == {weights: 42}


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = record(tmp_path, "0" * 64)
    with pytest.raises(ValueError, match=r"digits-tiny has weights .*; examined: 0000"):
        add(path, "deeper", lambda network, paper: 0)
