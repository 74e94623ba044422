"""Low precision is another network, declared, and as indifferent to a batch as float32."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from certify.plan import PRECISIONS, Plan, Recipe
from models import images
from models.attribution.bases import ATTRIBUTIONS
from models.loading import FLOATS, Network
from models.precision import FLOAT32, FLOAT32_ONLY, TF32, precisions, reason
from models.registry import card
from models.sampling import Sampler

ROOT = Path(__file__).parents[2]
LOW = ("bfloat16", "float16")
SAMPLES = 75  # more than two batches of 32, the last one short
SLOW = ("occlusion", "rise")


def in_precision(plan: Plan, precision: str, **changes: object) -> Plan:
    return replace(plan, recipe=replace(plan.recipe, precision=precision, **changes))  # type: ignore[arg-type]


def test_every_precision_of_a_recipe_can_be_computed() -> None:
    assert tuple(FLOATS) == PRECISIONS
    assert FLOAT32_ONLY.keys() <= ATTRIBUTIONS.keys()
    assert set(LOW) == set(PRECISIONS) - {FLOAT32, TF32}
    assert precisions("gradient") == PRECISIONS and precisions("lrp") == ("float32",)
    assert "overflow" in (reason("lrp", "float16") or "") and reason("lrp", "float32") is None


@pytest.mark.parametrize("precision", LOW)
def test_only_the_module_is_rounded(tiny: Network, precision: str) -> None:
    low = tiny.at(precision)
    assert {p.dtype for p in low.module.parameters()} == {FLOATS[precision]}
    assert {p.dtype for p in tiny.module.parameters()} == {torch.float32}
    for mine, its in zip(tiny.module.parameters(), low.module.parameters(), strict=True):
        assert torch.equal(mine.to(FLOATS[precision]), its)
    pixels = torch.full((2, 16, 16, 3), 100.0).requires_grad_()
    logits = low(pixels)
    normal = ((pixels - torch.tensor(low.card.mean)) / torch.tensor(low.card.std)).detach()
    wanted = low.module(normal.permute(0, 3, 1, 2).to(FLOATS[precision]))
    assert torch.equal(logits, wanted.float()) and logits.dtype == torch.float32
    (slope,) = torch.autograd.grad(logits[:, 1].sum(), pixels)
    assert slope.dtype == torch.float32 and slope.abs().max() > 0


@pytest.mark.parametrize("precision", LOW)
def test_any_split_gives_the_same_evidence_and_another_than_float32(
    sampler: Sampler, plan: Plan, digit: NDArray[np.uint8], precision: str
) -> None:
    low = in_precision(plan, precision)
    whole = sampler.draw(low, digit, 0, SAMPLES)
    parts = sampler.draw(low, digit, 41, SAMPLES).merge(sampler.draw(low, digit, 0, 41))
    assert parts.digest() == whole.digest()
    exact = sampler.draw(plan, digit, 0, SAMPLES)
    assert whole.digest() != exact.digest()
    assert (np.abs(whole.counts - exact.counts) <= 5).all()


@pytest.mark.parametrize("precision", LOW)
def test_base_maps_come_in_float32_whatever_is_beside_them(
    tiny: Network, digits: NDArray[np.uint8], precision: str
) -> None:
    """Place and neighbours in the batch change no bit."""
    low, exact = tiny.at(precision), torch.from_numpy(digits[:8]).float()
    order = torch.tensor([3, 0, 7, 1, 6, 2, 5, 4])
    others = exact.clone()
    others[1:] = torch.nan
    for name in set(low.card.attributions) - FLOAT32_ONLY.keys() - {*SLOW}:
        maps, logits = ATTRIBUTIONS[name].with_logits(low, exact, 3)
        assert maps.dtype == logits.dtype == torch.float32, name
        turned, turned_logits = ATTRIBUTIONS[name].with_logits(low, exact[order], 3)
        assert torch.equal(turned, maps[order]) and torch.equal(turned_logits, logits[order]), name
        assert torch.equal(ATTRIBUTIONS[name](low, others, 3)[0], maps[0]), name
        near = torch.nn.functional.cosine_similarity(
            maps.flatten(), ATTRIBUTIONS[name](tiny, exact, 3).flatten(), dim=0
        )
        assert near > 0.99, name


def test_a_clean_picture_is_seen_in_the_same_precision(
    sampler: Sampler, tiny: Network, digit: NDArray[np.uint8]
) -> None:
    look, exact = sampler.look(digit, precision="bfloat16"), sampler.look(digit)
    by_hand = Sampler(tiny.at("bfloat16")).look(digit, precision="bfloat16")
    np.testing.assert_array_equal(look.map, by_hand.map)
    np.testing.assert_array_equal(look.probabilities, by_hand.probabilities)
    assert look.target == exact.target and not np.array_equal(look.map, exact.map)


@pytest.mark.parametrize("name", sorted(FLOAT32_ONLY))
def test_what_needs_float32_is_refused_in_less(
    sampler: Sampler, plan: Plan, digit: NDArray[np.uint8], name: str
) -> None:
    message = f"precision is float16; it must be float32 for {name}"
    with pytest.raises(ValueError, match=message):
        sampler.draw(in_precision(plan, "float16", attribution=name), digit, 0, 1)
    with pytest.raises(ValueError, match=message):
        sampler.look(digit, None, name, "float16")


def test_other_numbers_of_lanes_draw_the_same_samples(
    sampler: Sampler, plan: Plan, digit: NDArray[np.uint8]
) -> None:
    wide, narrow = (in_precision(plan, "float32", lanes=lanes) for lanes in (64, 8))
    whole = sampler.draw(wide, digit, 0, SAMPLES)
    parts = sampler.draw(wide, digit, 70, SAMPLES).merge(sampler.draw(wide, digit, 0, 70))
    assert parts.digest() == whole.digest()
    others = sampler.draw(narrow, digit, 0, SAMPLES)
    # The noise is the same; a score may differ in its last bits.
    assert (np.abs(others.counts - whole.counts) <= 1).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "attribution"),
    # The gradient in float16 takes a processor without instructions for it a second a sample.
    [("bfloat16", "gradient"), ("bfloat16", "grad_cam"), ("float16", "grad_cam")],
)
def test_splits_on_a_real_network_in_low_precision(precision: str, attribution: str) -> None:
    made = card("efficientnet-lite0")
    sampler = Sampler(Network(made))
    data = (ROOT / "examples" / "photos" / "coffee.jpg").read_bytes()
    image = images.fit(images.decode(data, max_pixels=10**6), made)
    recipe = Recipe("gaussian", 2, 0.25, attribution, 16, 49, made.lanes, precision)
    sides = (made.size, made.size, 3)
    plan = Plan(made.name, made.weights, images.digest(image), *sides, 967, recipe, "5" * 32)
    total = made.lanes + 3
    whole = sampler.draw(plan, image, 0, total)
    parts = sampler.draw(plan, image, 5, total).merge(sampler.draw(plan, image, 0, 5))
    assert parts.digest() == whole.digest()
