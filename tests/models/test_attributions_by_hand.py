"""Each base attribution against its formula, on networks small enough to compute by hand."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import LRP, LayerGradCam
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule
from numpy.typing import NDArray
from torch import Tensor, nn

from certify.noise import Gaussian, draw, table
from certify.randomness import words
from models.architectures.layers import Mean, Sum
from models.attribution import rise as rises
from models.attribution.bases import ATTRIBUTIONS
from models.attribution.gradient import gradient
from models.attribution.methods import DRAW_SCALE, DRAWS, GRID, KEY, MASKS, STEPS
from models.attribution.paths import integrated
from models.attribution.twins import Unsupported
from models.images import decode, fit
from models.loading import Network
from models.registry import card

ROOT = Path(__file__).parent.parent.parent
MEAN = (120.0, 100.0, 90.0)
STD = (60.0, 50.0, 40.0)
Handmade = Callable[[nn.Module], Network]


@pytest.fixture(scope="module")
def handmade(tiny: Network) -> Handmade:
    """A network around any module, with a mean and a deviation of its own."""

    def make(module: nn.Module) -> Network:
        made = copy(tiny)
        made.module = module.eval().requires_grad_(False)
        made.card = replace(tiny.card, mean=MEAN, std=STD, cam_layer="0")
        made._mean, made._std = torch.tensor(MEAN), torch.tensor(STD)
        return made

    return make


def random(*shape: int, key: int = 1) -> Tensor:
    return torch.from_numpy(np.random.Generator(np.random.Philox(key)).normal(size=shape)).float()


def fill(module: nn.Module, key: int = 5) -> nn.Module:
    """Every parameter drawn anew."""
    for number, parameter in enumerate(module.parameters()):
        parameter.data = random(*parameter.shape, key=key + number) / 3
    return module


@pytest.fixture(scope="module")
def images() -> Tensor:
    words_ = np.random.Generator(np.random.Philox(3)).integers(0, 256, (2, 8, 8, 3))
    return torch.from_numpy(words_).float()


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


@pytest.mark.parametrize("kink", [nn.ReLU(), nn.ReLU6(), nn.ReLU(inplace=True)])
def test_guided_backpropagation_by_hand(
    handmade: Handmade, images: Tensor, kink: nn.Module
) -> None:
    """Two layers, the chain rule written out; it differs from the gradient just where slopes are
    negative behind an open kink."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 40), kink, nn.Linear(40, 3))
    network = handmade(fill(module))
    first, last = module[1], module[3]
    inside = first(network.normalised(images).flatten(1))
    opened = (inside > 0) & ((inside < 6) | (not isinstance(kink, nn.ReLU6)))
    assert (inside > 6).any() and (inside < 0).any()
    back = last.weight[1] * opened
    for rule, name in ((back.clamp(min=0), "guided_backprop"), (back, "gradient")):
        by_hand = (rule @ first.weight).view(2, 3, 8, 8).permute(0, 2, 3, 1) / torch.tensor(STD)
        torch.testing.assert_close(ATTRIBUTIONS[name](network, images, 1), by_hand)
    positive = handmade(copy(module))
    positive.module[3].weight.data.abs_()  # type: ignore[index]
    torch.testing.assert_close(
        ATTRIBUTIONS["guided_backprop"](positive, images, 1), gradient(positive, images, 1)
    )


@pytest.mark.parametrize("name", ["guided_backprop", "lrp"])
def test_rules_for_relus_are_not_applied_to_other_kinks(
    name: str, handmade: Handmade, images: Tensor
) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), Mean(), nn.Linear(4, 2))
    with pytest.raises(Unsupported, match="layer 1 of digits-tiny is a SiLU; rules for going"):
        ATTRIBUTIONS[name](handmade(module), images, 0)


def test_grad_cam_by_hand(handmade: Handmade, images: Tensor) -> None:
    module = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(180, 4))
    network = handmade(fill(module))
    planes = module[0](network.normalised(images))
    weights = module[2].weight[3].view(5, 36).mean(1)
    small = torch.einsum("c,nchw->nhw", weights, planes).clamp(min=0)
    assert (small == 0).any() and (small > 0).any()
    large = nn.functional.interpolate(small[:, None], (8, 8), mode="bilinear")[:, 0]
    torch.testing.assert_close(ATTRIBUTIONS["grad_cam"](network, images, 3), large)


def test_grad_cam_from_one_pass_is_captums_to_the_bit(handmade: Handmade, images: Tensor) -> None:
    """Which remembers the whole way, and asks for the prediction again."""
    network = handmade(fill(Residual()))
    cam = LayerGradCam(network.module, network.module.get_submodule("deep"))
    network.card = replace(network.card, cam_layer="deep")
    pixels = network.normalised(images).requires_grad_()
    small = cam.attribute(pixels, 2, relu_attributions=True)
    maps, logits = ATTRIBUTIONS["grad_cam"].with_logits(network, images, 2)
    large = nn.functional.interpolate(small.detach(), (8, 8), mode="bilinear")[:, 0]
    assert large.count_nonzero() > 0
    assert torch.equal(maps, large) and torch.equal(logits, network(images))
    assert not (maps.requires_grad or logits.requires_grad)


class Residual(nn.Module):
    """A small relative of the networks for photographs, every kind of layer in it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 6, 3, 2), nn.ReLU6())
        self.deep = nn.Sequential(nn.Conv2d(6, 6, 3, 1, 1, groups=6), nn.ReLU(inplace=True))
        self.project = nn.Sequential(nn.Conv2d(6, 6, 1), nn.Identity())
        self.sum, self.pool, self.mean = Sum(), nn.AvgPool2d(2), Mean()
        self.classifier = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.sum(x, self.project(self.deep(x)))
        return self.classifier(self.mean(self.pool(x)))  # type: ignore[no-any-return]


def test_relevance_by_hand(handmade: Handmade, images: Tensor) -> None:
    """The shares of one convolution, one addition and one mean, written out in loops."""
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU6(), Mean(), nn.Linear(2, 2))
    network = handmade(fill(module))
    x = network.normalised(images)
    inside = module[0](x)
    outputs = inside.clamp(0, 6)
    assert (inside > 6).any() or (inside > 0).any()
    relevance = outputs / 64 * module[3].weight[1].view(1, 2, 1, 1)
    products = torch.einsum("nihw,ji->njihw", x, module[0].weight[:, :, 0, 0]).clamp(min=0)
    whole = products.sum(2, keepdim=True)
    shares = torch.where(whole > 0, products / whole, 0)
    by_hand = (shares * relevance[:, :, None]).sum(1).permute(0, 2, 3, 1)
    torch.testing.assert_close(ATTRIBUTIONS["lrp"](network, images, 1), by_hand)


def test_relevance_is_conserved(handmade: Handmade, images: Tensor) -> None:
    """With positive weights every output that is not 0 has a positive product."""
    module = fill(Residual())
    for parameter in module.parameters():
        parameter.data.abs_()
    network = handmade(module)
    bright = images / 8 + 128  # brighter than the mean, and low enough to saturate few units
    maps, logits = ATTRIBUTIONS["lrp"].with_logits(network, bright, 2)
    bias = module.classifier.bias[2]  # type: ignore[union-attr]
    torch.testing.assert_close(maps.sum((1, 2, 3)), logits[:, 2] - bias, rtol=1e-4, atol=1e-4)


def test_relevance_on_digits_is_conserved(tiny: Network, digits: NDArray[np.uint8]) -> None:
    batch = torch.from_numpy(digits).float()
    maps, logits = ATTRIBUTIONS["lrp"].with_logits(tiny, batch, 3)
    classifier = tiny.module.get_submodule("classifier")
    expected = logits[:, 3] - classifier.bias[3]  # type: ignore[index]
    lost = (maps.sum((1, 2, 3)) - expected).abs()
    assert lost.max() < 0.02 * expected.abs().max()


def test_relevance_of_relu_networks_equals_that_of_captum(
    handmade: Handmade, images: Tensor
) -> None:
    """Captum's rule for positive shares, which takes inputs to be positive: here they are."""
    layers = (nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.AvgPool2d(2))
    module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(20, 3))
    network = handmade(fill(module))
    bright = images / 8 + 128
    for layer in (module[0], module[2]):
        layer.rule = Alpha1_Beta0_Rule(set_bias_to_zero=True)
    module[5].rule = EpsilonRule()
    theirs = LRP(module).attribute(network.normalised(bright).requires_grad_(), target=1)
    ours = ATTRIBUTIONS["lrp"](network, bright, 1)
    torch.testing.assert_close(ours, theirs.permute(0, 2, 3, 1).detach(), rtol=1e-3, atol=1e-5)


def test_occlusion_by_brute_force(tiny: Network, digits: NDArray[np.uint8]) -> None:
    image = torch.from_numpy(digits[6:7]).float()
    total, covered = torch.zeros(16, 16), torch.zeros(16, 16)
    for top in range(0, 13, 2):
        for left in range(0, 13, 2):
            hidden = image.clone()
            hidden[:, top : top + 4, left : left + 4] = 127.5
            total[top : top + 4, left : left + 4] += (tiny(image) - tiny(hidden))[0, 6]
            covered[top : top + 4, left : left + 4] += 1
    found = ATTRIBUTIONS["occlusion"](tiny, image, 6)[0]
    torch.testing.assert_close(found, total / covered, rtol=1e-4, atol=1e-4)


def test_rise_by_a_slow_loop(tiny: Network, digits: NDArray[np.uint8]) -> None:
    image = torch.from_numpy(digits[6:7]).float()
    total, shown = np.zeros((16, 16)), np.zeros((16, 16))
    for number in range(MASKS):
        mask = slow_mask(number)
        picture = 127.5 + torch.from_numpy(mask).float()[:, :, None] * (image - 127.5)
        total += tiny(picture).softmax(1)[0, 6].item() * mask
        shown += mask
    found = ATTRIBUTIONS["rise"](tiny, image, 6)[0].numpy()
    np.testing.assert_allclose(found, total / shown, rtol=1e-4, atol=1e-6)


def slow_mask(number: int) -> NDArray[np.float64]:
    """Bits to 24×24 by linear interpolation between the middles of 3-pixel cells, then cut."""
    bits, shifts = (int(word) for word in words(KEY, number, rises.SPACE, 2))
    grid = np.array([bits >> i & 1 for i in range(GRID * GRID)], float).reshape(GRID, GRID)
    middles = (np.arange(24) + 0.5) * GRID / 24 - 0.5
    rows = np.stack([np.interp(middles, np.arange(GRID), column) for column in grid.T], axis=1)
    large = np.stack([np.interp(middles, np.arange(GRID), row) for row in rows])
    top, left = shifts % 3, (shifts >> 32) % 3
    return large[top : top + 16, left : left + 16]


def test_masks_show_half_of_everything() -> None:
    drawn = rises.masks(224, torch.device("cpu"))
    assert drawn.shape == (MASKS, 224, 224) and drawn.min() >= 0 and drawn.max() <= 1
    assert abs(drawn.mean().item() - 0.5) < 0.01
    # A pixel's mean over 128 fair bits has a deviation of at most 0.5 / √128.
    assert (drawn.mean(0) - 0.5).abs().max() < 5 * 0.5 / MASKS**0.5
    assert len({mask.numpy().tobytes() for mask in drawn}) == MASKS
