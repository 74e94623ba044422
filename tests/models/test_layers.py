"""A layer's name means the same values as in the whole network, and its field is what they see."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from models.layers import Field, field, front
from models.loading import Network
from models.registry import card, cards, weights_file


def _values(network: Network, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """What each of the card's layers puts out as all layers run."""
    seen: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, object, torch.Tensor], None]:
        return lambda module, given, made: seen.update({name: made.clone()})

    hooks = [
        network.module.get_submodule(name).register_forward_hook(keep(name))
        for name in network.card.layers
    ]
    with torch.no_grad():
        network.module(network.normalised(images))
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("name", list(cards()))
def test_the_front_of_every_listed_layer_is_what_the_network_computes(name: str) -> None:
    if not weights_file(card(name)).exists():
        pytest.skip("weights are not here")
    network = Network(card(name))
    side = network.card.size
    images = (torch.arange(side * side * 3).reshape(1, side, side, 3) * 7919 % 256).float()
    seen = _values(network, images)
    for layer in network.card.layers:
        with torch.no_grad():
            found = front(network.module, layer)(network.normalised(images))
        assert torch.equal(found, seen[layer]), layer


@pytest.mark.parametrize("name", list(cards()))
def test_values_of_the_default_layer_are_fewer_than_those_of_the_picture(name: str) -> None:
    """The rule the defaults were chosen by: the first layer that cannot keep everything."""
    if not weights_file(card(name)).exists():
        pytest.skip("weights are not here")
    network = Network(card(name))
    picture = torch.zeros(1, 3, network.card.size, network.card.size)
    few = [
        layer
        for layer in network.card.layers
        if front(network.module, layer)(picture).numel() < picture.numel()
    ]
    assert few[0] == network.card.defaults.layer


def test_an_unknown_layer_is_named(tiny: Network) -> None:
    with pytest.raises(ValueError, match=r"layer is 'fetures\.2'; .* one of features, classifier"):
        front(tiny.module, "fetures.2")
    with pytest.raises(ValueError, match="one of none"):
        front(tiny.module, "features.0.conv")


WINDOWS = {
    "convolutions": (nn.Conv2d(1, 1, 3, 1, 1), nn.ReLU(), nn.Conv2d(1, 1, 5, 2, 2)),
    "dilated": (nn.Conv2d(1, 1, 3, 2, 2, dilation=2), nn.Conv2d(1, 1, 3, 1, 1)),
    "pools": (nn.AvgPool2d(2), nn.Conv2d(1, 1, 3, 1, 1), nn.AvgPool2d(3, 2, 1)),
    "padded before": (nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 1, 3, 2), nn.Conv2d(1, 1, 3, 1, 1)),
}


@pytest.mark.parametrize("name", sorted(WINDOWS))
def test_the_field_is_where_the_gradient_is_not_zero(name: str) -> None:
    module = nn.Sequential(*WINDOWS[name]).requires_grad_(False)
    for parameter in module.parameters():
        parameter.fill_(1.0)
    seen = field(module)
    assert seen is not None
    picture = torch.ones(1, 1, 48, 48, requires_grad=True)
    values = module(picture)
    middle = values.shape[2] // 2
    (slope,) = torch.autograd.grad(values[0, 0, middle, middle], picture)
    first = seen.start + seen.jump * middle
    (rows,) = slope[0, 0].sum(1).nonzero(as_tuple=True)
    (columns,) = slope[0, 0].sum(0).nonzero(as_tuple=True)
    assert rows.tolist() == columns.tolist()
    assert (rows[0], rows[-1]) == (first, first + seen.size - 1)


def test_values_of_real_networks_see_nothing_outside_their_field() -> None:
    for name in ("efficientnet-lite0", "mobilenet-v2"):
        if not weights_file(card(name)).exists():
            pytest.skip("weights are not here")
        network = Network(card(name))
        for layer in ("stem", "blocks.1", "blocks.3"):
            module = front(network.module, layer)
            seen = field(module)
            assert seen is not None
            picture = torch.full((1, 3, 224, 224), 0.3, requires_grad=True)
            values = module(picture)
            middle = values.shape[2] // 2
            (slope,) = torch.autograd.grad(values[0, :, middle, middle].square().sum(), picture)
            (rows,) = slope[0].abs().sum((0, 2)).nonzero(as_tuple=True)
            first = seen.start + seen.jump * middle
            assert first <= rows[0] and rows[-1] < first + seen.size
            assert rows[-1] - rows[0] >= seen.size // 2, "what is tested is not trivially small"


def test_what_may_see_everything_has_no_field() -> None:
    assert field(nn.Sequential(nn.Flatten(), nn.Linear(4, 2))) is None
    assert field(nn.Sequential(nn.AdaptiveAvgPool2d(1))) is None
    assert field(nn.Conv2d(1, 1, (3, 1))) is None
    assert field(nn.Conv2d(1, 1, 3, padding="same")) is None
    assert field(nn.AvgPool2d((2, 1))) is None
    assert field(nn.ZeroPad2d((1, 1, 0, 0))) is None
    assert field(nn.Identity()) == Field(1, 1, 0)
