"""The ImageNet networks compute what their published versions compute."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models import images
from models.architectures import efficientnet_lite, mobilenet_v2
from models.attribution.gradient import gradient_of
from models.features import magnitude
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

ROOT = Path(__file__).parent.parent.parent
GOLDEN = json.loads((ROOT / "tests" / "data" / "efficientnet_lite0.json").read_text())


@pytest.fixture(scope="module")
def lite() -> Network:
    return Network(card("efficientnet-lite0"))


def philox() -> NDArray[np.uint8]:
    """Every byte random."""
    words = np.random.Philox(key=7, counter=[0, 0, 0, 0]).random_raw(224 * 224 * 3 // 8)
    return words.astype("<u8").view(np.uint8).reshape(224, 224, 3)


def ramp() -> NDArray[np.uint8]:
    """Grows along the diagonal, channels 0, 10 and 30 apart."""
    plane = np.add.outer(np.arange(224), np.arange(224))[:, :, None] // 2
    return np.minimum(plane + np.array([0, 10, 30]), 255).astype(np.uint8)


@pytest.mark.parametrize("picture", [philox, ramp])
def test_efficientnet_lite_equals_the_original_package(lite: Network, picture: object) -> None:
    golden = GOLDEN[picture.__name__]  # type: ignore[attr-defined]
    pixels = torch.from_numpy(picture()).float()[None]  # type: ignore[operator]
    slopes, logits = gradient_of(lite, pixels, golden["target"])
    maps = magnitude(slopes)
    assert int(logits.argmax()) == golden["target"]
    np.testing.assert_allclose(logits[0, ::50].numpy(), golden["logits"], atol=2e-4)
    there = max(abs(value) for value in golden["gradient_at_100_50"])
    np.testing.assert_allclose(maps[0, 100, 50].item(), there, rtol=0.02)
    assert 1 / 3 < maps.sum().item() / golden["gradient_l1"] < 1, (
        "max over channels below their sum"
    )


@pytest.mark.parametrize(
    ("name", "photo", "expected", "least"),
    [
        ("efficientnet-lite0", "coffee", "espresso", 0.9),
        ("efficientnet-lite0", "chelsea", "tiger cat", 0.3),
        ("mobilenet-v2", "coffee", "espresso", 0.9),
        ("mobilenet-v2", "chelsea", "Egyptian cat", 0.5),
    ],
)
def test_photographs_are_recognised(name: str, photo: str, expected: str, least: float) -> None:
    """A wrong channel order, resize, normalisation or list of names fails here."""
    made = card(name)
    data = (ROOT / "examples" / "photos" / f"{photo}.jpg").read_bytes()
    look = Sampler(Network(made)).look(images.fit(images.decode(data, max_pixels=10**6), made))
    assert made.classes[look.target] == expected
    assert look.probabilities[look.target] > least


def test_padding_of_the_two_families() -> None:
    assert [efficientnet_lite.same(k, s) for k, s in [(3, 1), (3, 2), (5, 1), (5, 2), (1, 1)]] == [
        (1, 1),
        (0, 1),
        (2, 2),
        (1, 2),
        (0, 0),
    ]
    assert [mobilenet_v2.symmetric(k, s) for k, s in [(3, 1), (3, 2), (1, 1)]] == [
        (1, 1),
        (1, 1),
        (0, 0),
    ]


def test_unknown_parameters_have_no_name_of_ours() -> None:
    assert efficientnet_lite.rename("_blocks.0._se_reduce.weight") == ""
    assert mobilenet_v2.rename("features.19.0.weight") == ""
