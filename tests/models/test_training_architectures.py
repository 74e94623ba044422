"""Networks for small pictures: any size, every attribution, and folded as they are."""

from dataclasses import replace

import pytest
import torch

from models.architectures import ARCHITECTURES
from models.attribution.bases import ATTRIBUTIONS
from models.layers import front
from models.loading import Network
from models.registry import Card, card
from models.training.draws import Draws, Purpose
from models.training.initial import initialise
from models.training.publication import layers_of

NAMES = ("slim", "small", "resnet10", "resnet18")


def built(name: str) -> torch.nn.Module:
    module = ARCHITECTURES[name].build(4)
    initialise(module, 3)
    for number, part in enumerate(module.modules()):
        if isinstance(part, torch.nn.BatchNorm2d):  # statistics that are not the identity's
            shape = tuple(part.weight.shape)
            drawn = Draws(9, 0, 0, (2 * number, 2 * number + 1)).uniform(Purpose.PICK, shape)
            part.running_mean, part.running_var = drawn[0] - 0.5, drawn[1] + 0.5
    return module.eval()


def card_for(name: str, module: torch.nn.Module, side: int) -> Card:
    layers, layer, cam = layers_of(module)
    known = card("digits-tiny")
    defaults = replace(known.defaults, layer=layer)
    return replace(
        known,
        architecture=name,
        classes=tuple("abcd"),
        size=side,
        lanes=4,
        layers=layers,
        cam_layer=cam,
        defaults=defaults,
        unsupported=(),
    )


@pytest.mark.parametrize("name", ["small", "resnet10"])
def test_folded_equals_unfolded(name: str) -> None:
    module = built(name)
    made = card_for(name, module, 28)
    network = Network(made, parameters=module.state_dict())
    pictures = 255 * Draws(1, 0, 0, (0, 1)).uniform(Purpose.PICK, (28, 28, 3))
    with torch.no_grad():
        expected = module(network.normalised(pictures))
    assert torch.allclose(network(pictures), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [28, 32, 64])
def test_any_size_gives_logits(name: str, side: int) -> None:
    assert ARCHITECTURES[name].build(7).eval()(torch.zeros(1, 3, side, side)).shape == (1, 7)


@pytest.mark.parametrize("name", ["small", "resnet10"])
def test_every_layer_of_the_card_can_be_kept(name: str) -> None:
    module = built(name)
    layers, layer, cam = layers_of(module)
    assert layer in layers and cam == layers[-1]
    for each in layers:
        assert front(module, each)(torch.zeros(1, 3, 16, 16)).ndim == 4


# Those that look into the network; the others see it as a function.
LOOKING_IN = ("guided_backprop", "grad_cam", "lrp")
KNOWN = [("small", name) for name in ATTRIBUTIONS] + [("resnet10", name) for name in LOOKING_IN]


@pytest.mark.parametrize(("name", "attribution"), KNOWN)
def test_attributions_know_the_networks(name: str, attribution: str) -> None:
    module = built(name)
    network = Network(card_for(name, module, 16), parameters=module.state_dict())
    pictures = (255 * Draws(1, 0, 0, (0,)).uniform(Purpose.PICK, (16, 16, 3))).round()
    maps = ATTRIBUTIONS[attribution](network, pictures, 1)
    assert maps.shape[:3] == (1, 16, 16) and maps.isfinite().all()
