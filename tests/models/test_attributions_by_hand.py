"""Base maps of gradients, along a path or under noise, against their formulas: small networks, done
by hand.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from certify.noise import Gaussian, draw, table
from models.attribution.bases import ATTRIBUTIONS
from models.attribution.gradient import gradient
from models.attribution.methods import DRAW_SCALE, DRAWS, KEY, STEPS
from models.attribution.paths import integrated
from models.images import decode, fit
from models.loading import Network
from models.registry import card
from tests.models.handmade import MEAN, STD, Handmade, around, fill, pictures

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def handmade(tiny: Network) -> Handmade:
    return around(tiny)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return pictures()


@pytest.fixture(scope="module")
def linear(handmade: Handmade) -> Network:
    return handmade(fill(nn.Sequential(nn.Flatten(), nn.Linear(192, 4))))


@pytest.fixture(scope="module")
def plain(images: Tensor) -> Tensor:
    return torch.tensor(MEAN).expand_as(images)


@pytest.fixture(scope="module")
def noises(tiny: Network) -> Tensor:
    law, shape = table(Gaussian(DRAW_SCALE)), (16, 16, 3)
    drawn = [draw(law, KEY, number, 768).reshape(shape) for number in range(DRAWS)]
    return torch.from_numpy(np.stack(drawn)).float()


@pytest.mark.parametrize("name", ["input_x_gradient", "integrated_gradients"])
def test_linear_maps_sum_to_the_logit_less_the_bias(
    name: str, linear: Network, images: Tensor, plain: Tensor
) -> None:
    maps, logits = ATTRIBUTIONS[name].with_logits(linear, images, 2)
    bias = linear.module[1].bias[2]  # type: ignore[index]
    torch.testing.assert_close(maps.sum((1, 2, 3)), logits[:, 2] - bias, rtol=1e-4, atol=1e-4)
    weight = linear.module[1].weight[2].view(3, 8, 8).permute(1, 2, 0)  # type: ignore[index]
    by_hand = (images - plain) / torch.tensor(STD) * weight
    torch.testing.assert_close(maps, by_hand, rtol=1e-4, atol=1e-5)


def test_input_times_gradient_is_their_product(tiny: Network, digits: NDArray[np.uint8]) -> None:
    batch = torch.from_numpy(digits).float()
    found = ATTRIBUTIONS["input_x_gradient"](tiny, batch, 4)
    assert torch.equal(found, (batch - 127.5) * gradient(tiny, batch, 4))


def test_integrated_gradients_are_a_mean_along_the_way(
    tiny: Network, digits: NDArray[np.uint8]
) -> None:
    batch = torch.from_numpy(digits).float()
    middles = [127.5 + (i + 0.5) / STEPS * (batch - 127.5) for i in range(STEPS)]
    mean = sum(gradient(tiny, point, 4).double() for point in middles) / STEPS
    found = ATTRIBUTIONS["integrated_gradients"](tiny, batch, 4)
    torch.testing.assert_close(found, ((batch - 127.5) * mean).float(), rtol=1e-4, atol=1e-6)


def test_integrated_gradients_are_complete_on_digits(
    tiny: Network, digits: NDArray[np.uint8]
) -> None:
    batch = torch.from_numpy(digits).float()
    rise = (tiny(batch) - tiny(torch.full_like(batch, 127.5)))[:, 4]
    error = {n: (integrated(tiny, batch, 4, n).sum((1, 2, 3)) - rise).abs().max() for n in (16, 64)}
    assert error[16] < 0.05 * rise.abs().max() and error[64] < 0.3 * error[16]


def test_integrated_gradients_are_complete_on_a_real_network() -> None:
    """On faint pictures, so that the gradient turns no oftener on the way than 16 steps can see."""
    network = Network(card("efficientnet-lite0"))
    data = (ROOT / "examples" / "photos" / "coffee.jpg").read_bytes()
    picture = torch.from_numpy(fit(decode(data, max_pixels=10**6), network.card)).float()
    faint = torch.stack([127 + (picture - 127) / 16, 127 + (picture - 127) / 64])
    rise = (network(faint) - network(torch.full_like(faint, 127.0)))[:, 967]
    found = ATTRIBUTIONS["integrated_gradients"](network, faint, 967).sum((1, 2, 3))
    assert (rise > 1).all()
    torch.testing.assert_close(found, rise, rtol=0.1, atol=0)


def test_smoothgrads_are_means_over_the_fixed_noise(
    tiny: Network, digits: NDArray[np.uint8], noises: Tensor
) -> None:
    image = torch.from_numpy(digits[5:6]).float()
    slopes = torch.cat([gradient(tiny, image + noise, 5) for noise in noises]).double()
    means = {"smoothgrad": slopes.mean(0), "squared_smoothgrad": (slopes**2).mean(0)}
    for name, mean in means.items():
        found = ATTRIBUTIONS[name](tiny, image, 5)[0]
        torch.testing.assert_close(found, mean.float(), rtol=1e-4, atol=1e-9)
    assert (means["squared_smoothgrad"] >= means["smoothgrad"] ** 2 - 1e-12).all()


def test_smoothgrad_of_a_line_is_its_slope(linear: Network, images: Tensor) -> None:
    slope = gradient(linear, images, 1)
    torch.testing.assert_close(ATTRIBUTIONS["smoothgrad"](linear, images, 1), slope)
    squared = ATTRIBUTIONS["squared_smoothgrad"](linear, images, 1)
    torch.testing.assert_close(squared, slope**2)


def test_sparsified_smoothgrads_keep_the_top(
    tiny: Network, digits: NDArray[np.uint8], noises: Tensor
) -> None:
    """A tenth of 256 pixels are 25, a hundredth 2; slow, by sorting."""
    image = torch.from_numpy(digits[5:6]).float()
    sparse, relaxed = np.zeros(256), np.zeros(256)
    for noise in noises:
        flat = gradient(tiny, image + noise, 5).abs().amax(3).numpy().ravel()
        order = np.argsort(-flat, kind="stable")
        sparse[order[:25]] += 1 / DRAWS
        relaxed[order[:25]] += np.minimum(1, flat[order[:25]] / flat[order[1]]) / DRAWS
    found = ATTRIBUTIONS["sparsified_smoothgrad"](tiny, image, 5)[0].numpy()
    np.testing.assert_array_equal(found, sparse.reshape(16, 16))
    assert found.sum() == 25
    found = ATTRIBUTIONS["relaxed_smoothgrad"](tiny, image, 5)[0].numpy()
    np.testing.assert_allclose(found, relaxed.reshape(16, 16), rtol=1e-5, atol=1e-7)


def test_a_map_of_zeros_stays_one(handmade: Handmade, images: Tensor) -> None:
    network = handmade(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)))
    network.module[1].weight.data.zero_()  # type: ignore[index]
    assert not ATTRIBUTIONS["relaxed_smoothgrad"](network, images, 1).any()
