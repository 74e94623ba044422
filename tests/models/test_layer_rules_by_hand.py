"""Base maps by rules for layers, against their formulas, on networks small enough to do by hand:
guided backpropagation, Grad-CAM and relevance.
"""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from captum.attr import LRP, LayerGradCam
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule
from numpy.typing import NDArray
from torch import Tensor, nn

from models.architectures.layers import Mean, Sum
from models.attribution.bases import ATTRIBUTIONS
from models.attribution.gradient import gradient
from models.attribution.twins import Unsupported
from models.loading import Network
from tests.models.handmade import STD, Handmade, around, fill, pictures


@pytest.fixture(scope="module")
def handmade(tiny: Network) -> Handmade:
    return around(tiny)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return pictures()


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


def test_grad_cam_from_one_pass_is_captums(handmade: Handmade, images: Tensor) -> None:
    """Which remembers the whole way, and asks for the prediction again."""
    network = handmade(fill(Residual()))
    cam = LayerGradCam(network.module, network.module.get_submodule("deep"))
    network.card = replace(network.card, cam_layer="deep")
    pixels = network.normalised(images).requires_grad_()
    small = cam.attribute(pixels, 2, relu_attributions=True)
    maps, logits = ATTRIBUTIONS["grad_cam"].with_logits(network, images, 2)
    large = nn.functional.interpolate(small.detach(), (8, 8), mode="bilinear")[:, 0]
    assert large.count_nonzero() > 0
    # Sums are in an order of their own (models.sums), so the last bits are.
    torch.testing.assert_close(maps, large)
    assert torch.equal(logits, network(images))
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
