"""The robust network that ships: the one its card names, and as robust as the page says."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from models import registry
from models.data.dataset import DataSet
from models.examination.predictions import Pgd, right, right_after_pgd
from models.loading import Network
from models.training.assignment import Assignment
from models.training.publication import accuracy

ROOT = Path(__file__).parents[2]


@pytest.fixture
def robust(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    monkeypatch.setenv("AFFIDAVIT_MODELS", str(ROOT / "examples" / "models"))
    registry.cards.cache_clear()
    yield Network(registry.card("digits-robust"))
    registry.cards.cache_clear()


def test_card_tells_the_truth(robust: Network, data: DataSet) -> None:
    clean, noisy = accuracy(robust, data.test), accuracy(robust, data.test, 0.25)
    told = f"{clean:.3f} of 360 test pictures; under noise of scale 0.25: {noisy:.3f}."
    assert robust.card.accuracy == told
    assert data.digest[:16] in robust.card.origin
    assert Assignment("pgd", "digits:x").key in robust.card.origin
    raw = tomllib.loads((ROOT / "examples" / "models" / "digits-robust.toml").read_text())
    assert raw["weights"] == robust.card.weights


def test_it_withstands_what_the_network_for_noise_does_not(
    robust: Network, tiny: Network, data: DataSet
) -> None:
    pgd = Pgd(bound=32, length=8, steps=10, restarts=1)
    ours, theirs = (right_after_pgd(net, data.test, pgd, 3).mean() for net in (robust, tiny))
    assert ours > 0.75 > 0.55 > theirs
    assert right(robust, data.test).mean() > 0.98
