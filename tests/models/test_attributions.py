"""What holds of every base attribution, whatever it computes."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from certify import plan as plans
from certify.certificate import certify
from certify.document import dumps
from certify.plan import Plan, Question
from certify.verify import verify
from models.attribution.bases import ATTRIBUTIONS
from models.attribution.methods import METHODS
from models.attribution.twins import Unsupported
from models.images import decode, fit
from models.loading import Network
from models.native.chain import NativeChain
from models.registry import card, cards
from models.sampling import Sampler
from tests.composed import composed

ROOT = Path(__file__).parent.parent.parent
ON_DIGITS = card("digits-tiny").attributions
TARGET = 3
SAMPLES = 64


def noisy(network: Network, pictures: NDArray[np.uint8]) -> Tensor:
    """As many different pictures under noise as the network has lanes."""
    clean = np.resize(pictures, (network.card.lanes, *pictures.shape[1:]))
    normal = np.random.Generator(np.random.Philox(11)).normal(0, 64, clean.shape)
    return torch.from_numpy((clean + normal).round().astype(np.float32))


@pytest.fixture(scope="module")
def batch(tiny: Network, digits: NDArray[np.uint8]) -> Tensor:
    return noisy(tiny, digits)


def test_every_name_is_known_everywhere() -> None:
    assert tuple(METHODS) == tuple(ATTRIBUTIONS) == plans.ATTRIBUTIONS
    assert all(set(made.attributions) <= set(METHODS) for made in cards().values())
    assert {name: card(name).unsupported for name in cards() if card(name).unsupported}.keys() == {
        "digits-tiny"
    }


@pytest.mark.parametrize("name", ON_DIGITS)
def test_maps_are_plain_numbers_and_arguments_stay_as_they_are(
    name: str, tiny: Network, batch: Tensor
) -> None:
    before = batch.clone()
    maps, logits = ATTRIBUTIONS[name].with_logits(tiny, batch, TARGET)
    assert maps.shape in (batch.shape, batch.shape[:3]) and maps.dtype == torch.float32
    assert maps.isfinite().all() and (maps != 0).any()
    assert not maps.requires_grad and not logits.requires_grad and not batch.requires_grad
    assert torch.equal(batch, before) and torch.equal(logits, tiny(before))
    assert torch.equal(ATTRIBUTIONS[name](tiny, batch, TARGET), maps), "twice the same"
    assert all(p.grad is None and not p.requires_grad for p in tiny.module.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in tiny.module.modules())


@pytest.mark.parametrize("name", ON_DIGITS)
def test_neither_place_nor_neighbours_change_a_bit(name: str, tiny: Network, batch: Tensor) -> None:
    attribution = ATTRIBUTIONS[name]
    maps = attribution(tiny, batch, TARGET)
    order = torch.from_numpy(np.random.Generator(np.random.Philox(12)).permutation(len(batch)))
    assert torch.equal(attribution(tiny, batch[order], TARGET), maps[order])
    others = batch.clone()
    others[1:] = torch.nan
    assert torch.equal(attribution(tiny, others, TARGET)[0], maps[0])


def test_neighbours_change_nothing_on_a_real_network() -> None:
    still_the_same("lrp")


@pytest.mark.slow
@pytest.mark.parametrize("name", card("efficientnet-lite0").attributions)
def test_neighbours_change_nothing_on_a_real_network_for_any(name: str) -> None:
    still_the_same(name)


def still_the_same(name: str) -> None:
    network = Network(card("efficientnet-lite0"))
    data = (ROOT / "examples" / "photos" / "coffee.jpg").read_bytes()
    images = noisy(network, fit(decode(data, max_pixels=10**6), network.card)[None])
    maps = ATTRIBUTIONS[name](network, images, 967)
    turned = ATTRIBUTIONS[name](network, images.flip(0), 967).flip(0)
    assert torch.equal(maps, turned) and maps.isfinite().all()


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many pictures each pass through the first convolution had, in layers or in steps."""
    seen: list[int] = []
    original, chained = nn.Conv2d._conv_forward, NativeChain.forward

    def watching(self: nn.Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if weight.shape[1] == 3:
            seen.append(len(x))
        return original(self, x, weight, bias)

    def watching_chains(self: NativeChain, x: Tensor) -> Tensor:
        if x.shape[1] == 3:
            seen.append(len(x))
        return chained(self, x)

    with monkeypatch.context() as patch:
        patch.setattr(nn.Conv2d, "_conv_forward", watching)
        patch.setattr(NativeChain, "forward", watching_chains)
        yield seen


@pytest.mark.parametrize("name", ON_DIGITS)
def test_every_pass_is_full_and_counted(
    name: str, tiny: Network, batch: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ATTRIBUTIONS[name](tiny, batch, TARGET)  # twins are made at the first call
    with watched(monkeypatch) as seen:
        ATTRIBUTIONS[name].with_logits(tiny, batch, TARGET)
    assert set(seen) == {len(batch)}
    assert len(seen) == METHODS[name].forward


@pytest.mark.parametrize("name", ON_DIGITS)
def test_evidence_is_the_same_however_it_is_cut(
    name: str, sampler: Sampler, plan: Plan, digit: NDArray[np.uint8]
) -> None:
    other = replace(plan, recipe=replace(plan.recipe, attribution=name))
    whole = sampler.draw(other, digit, 0, 40)
    parts = sampler.draw(other, digit, 7, 40).merge(sampler.draw(other, digit, 0, 7))
    assert parts.digest() == whole.digest()
    if name != "gradient":
        assert whole.digest() != sampler.draw(plan, digit, 0, 40).digest()


@pytest.mark.parametrize("name", ON_DIGITS)
def test_any_name_makes_a_certificate_that_proves_something_and_holds(
    name: str, sampler: Sampler, plan: Plan, digit: NDArray[np.uint8]
) -> None:
    about = replace(plan, recipe=replace(plan.recipe, attribution=name))
    question = Question(plan.recipe.votes, SAMPLES, 0.001, "fixed", "2")
    evidence = sampler.draw(about, digit, 0, SAMPLES)
    proven = certify(about, evidence, question)
    document = composed(about, question, evidence)
    assert proven.at_least_within(0.001) > 0 and verify(dumps(document)).holds


def test_what_a_card_rules_out_is_refused(
    sampler: Sampler, tiny: Network, plan: Plan, digit: NDArray[np.uint8]
) -> None:
    other = replace(plan, recipe=replace(plan.recipe, attribution="grad_cam"))
    with pytest.raises(ValueError, match="attribution is grad_cam; it must be gradient or input"):
        sampler.draw(other, digit, 0, 1)
    with pytest.raises(Unsupported, match="its card must name the layer"):
        ATTRIBUTIONS["grad_cam"](tiny, torch.zeros(1, 16, 16, 3), 0)


def test_the_reason_that_digits_have_no_grad_cam_is_true(
    tiny: Network, digits: NDArray[np.uint8], batch: Tensor
) -> None:
    """Most of the noisy threes have an empty map, and so would vote for the first cells."""
    named = copy(tiny)
    named.card = replace(tiny.card, cam_layer="features.5")
    threes = noisy(tiny, digits[3:4])
    empty = ATTRIBUTIONS["grad_cam"](named, threes, 3).flatten(1).amax(dim=1) == 0
    assert empty.float().mean() > 0.9


@pytest.mark.parametrize("name", [name for name, c in cards().items() if c.cam_layer])
def test_the_layer_of_grad_cam_has_planes_that_are_averaged(name: str) -> None:
    """Where planes are averaged and then weighed, Grad-CAM is class activation mapping."""
    network = Network(card(name))
    planes: list[Tensor] = []
    layer = network.merged.get_submodule(card(name).cam_layer or "")
    handle = layer.register_forward_hook(lambda _m, _i, out: planes.append(out.detach().clone()))
    images = torch.from_numpy(
        np.random.Generator(np.random.Philox(13)).integers(0, 256, (1, 224, 224, 3))
    ).float()
    logits = network(images)
    handle.remove()
    classifier = network.module.get_submodule("classifier")
    assert isinstance(classifier, nn.Linear)
    torch.testing.assert_close(classifier(planes[0].mean((2, 3))), logits)
    weights = classifier.weight[5] / planes[0][0, 0].numel()
    small = (weights[:, None, None] * planes[0][0]).sum(0).clamp(min=0)
    large = nn.functional.interpolate(small[None, None], (224, 224), mode="bilinear")[:, 0]
    found = ATTRIBUTIONS["grad_cam"](network, images, 5)
    torch.testing.assert_close(found, large, rtol=1e-3, atol=1e-6)
