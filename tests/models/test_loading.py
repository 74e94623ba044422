"""Loading: the right weights or an error, and folding changes nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from models.loading import Network, build, fold, read_weights
from models.registry import card, cards, weights_file
from models.weights import WeightsError


@pytest.mark.parametrize("name", list(cards()))
def test_folded_equals_unfolded(name: str) -> None:
    made = card(name)
    weights = read_weights(made)
    plain, folded = build(made, weights), fold(build(made, weights))
    assert any(isinstance(part, nn.BatchNorm2d) for part in plain.modules())
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    x = torch.from_numpy(
        np.random.Generator(np.random.Philox(3)).normal(size=(1, 3, made.size, made.size))
    )
    with torch.no_grad():
        torch.testing.assert_close(folded.double()(x), plain.double()(x), rtol=1e-4, atol=1e-4)


def test_missing_weights_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFIDAVIT_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"efficientnet-lite0 are missing.*run `make setup`"):
        Network(card("efficientnet-lite0"))


def test_changed_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lite = card("efficientnet-lite0")
    copy = tmp_path / weights_file(lite).name
    shutil.copy(weights_file(lite), copy)
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    monkeypatch.setenv("AFFIDAVIT_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=f"has SHA-256 .* it must be {lite.weights}"):
        read_weights(lite)


def test_weights_of_another_architecture_are_refused(tiny: Network) -> None:
    with pytest.raises(RuntimeError, match="Missing key"):
        build(replace(tiny.card, architecture="mobilenet-v2"), read_weights(tiny.card))


def test_network_is_frozen_and_normalises_inside(tiny: Network, digits: NDArray[np.uint8]) -> None:
    assert not tiny.module.training
    assert not any(p.requires_grad for p in tiny.module.parameters())
    plain = build(tiny.card, read_weights(tiny.card))
    images = torch.from_numpy(digits).float()
    with torch.no_grad():
        wanted = plain((images / 127.5 - 1).permute(0, 3, 1, 2).contiguous())
        torch.testing.assert_close(tiny(images), wanted, rtol=1e-4, atol=1e-4)


def test_tiny_reads_every_held_out_digit_of_the_tests(
    tiny: Network, digits: NDArray[np.uint8]
) -> None:
    with torch.no_grad():
        assert tiny(torch.from_numpy(digits).float()).argmax(1).tolist() == list(range(10))
