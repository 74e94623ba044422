"""What was trained is published as a model with a card, and served as it is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models import registry
from models.data.dataset import DataSet
from models.loading import Network
from models.registry import BadCard
from models.sampling import Sampler
from models.training.assignment import Unwanted
from models.training.loop import Run
from models.training.publication import Listing, accuracy, cell, publish
from tests.models.short_runs import SHORT


@pytest.fixture
def no_cards() -> Iterator[None]:
    """Cards are read once in a process; here they are read anew, before and after."""
    registry.cards.cache_clear()
    yield
    registry.cards.cache_clear()


def test_what_was_trained_is_served(
    data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_cards: None
) -> None:
    """Four epochs, a card, the registry, and a look as the service takes it."""
    asked = replace(SHORT, recipe="standard", settings={}, epochs=4, take=0, pad=0)
    trained = Run(asked, data, tmp_path / "run").train()
    listing, folder = Listing("digits-mine", 'Mine, "quoted"', "CC0"), tmp_path / "models"
    card = publish(listing, asked, data, trained, folder)
    monkeypatch.setenv("AFFIDAVIT_MODELS", str(folder))
    assert "digits-mine" in registry.cards() and "digits-tiny" in registry.cards()
    served = registry.card("digits-mine")
    assert served == card and served.title == 'Mine, "quoted"'
    network = Network(served)
    reached = accuracy(network, data.test)
    assert reached > 0.9
    assert served.accuracy.startswith(f"{reached:.3f} of 360 test pictures; under noise of scale")
    seen = Sampler(network).look(data.test.pictures[0])
    assert seen.map.shape == (16, 16) and seen.map.max() > 0
    assert asked.key in served.origin and data.digest[:16] in served.origin
    calm = trained.module.eval()(
        (torch.from_numpy(data.test.pictures[:4]).permute(0, 3, 1, 2) - 127.5) / 127.5
    )
    ours = network(torch.from_numpy(data.test.pictures[:4]).float())
    assert torch.allclose(calm, ours, atol=1e-4)


def test_names_of_models_are_judged() -> None:
    with pytest.raises(Unwanted, match="name is 'My model'; it must be small letters"):
        Listing("My model")
    with pytest.raises(Unwanted, match="name is 'digits-tiny'; that model comes with the project"):
        Listing("digits-tiny")


@pytest.mark.parametrize(("side", "expected"), [(16, 2), (28, 4), (32, 4), (64, 8), (224, 28)])
def test_cells_divide_the_picture(side: int, expected: int) -> None:
    assert side % cell(side) == 0 and cell(side) == expected


def test_operators_cards_must_not_take_our_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_cards: None
) -> None:
    (tmp_path / "digits-tiny.toml").write_text("")
    monkeypatch.setenv("AFFIDAVIT_MODELS", str(tmp_path))
    with pytest.raises(BadCard, match="a model 'digits-tiny' comes with the project"):
        registry.cards()
    registry.cards.cache_clear()
    monkeypatch.setenv("AFFIDAVIT_MODELS", str(tmp_path / "none"))
    with pytest.raises(BadCard, match="it must be a folder of model cards"):
        registry.cards()


@pytest.mark.parametrize("text", ["name = ", 'name = "mine"\n', "classes = 3\n", "\xff"])
def test_a_bad_card_of_the_operators_is_named(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_cards: None
) -> None:
    (tmp_path / "mine.toml").write_bytes(text.encode("latin-1"))
    monkeypatch.setenv("AFFIDAVIT_MODELS", str(tmp_path))
    with pytest.raises(
        BadCard, match=r"model card .*mine.toml (is bad: .+|lacks the field 'classes')"
    ):
        registry.cards()
