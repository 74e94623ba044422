"""One unit of work: the same evidence however it is cut."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from certify import noise
from certify.evidence import Evidence
from certify.plan import Plan, Recipe
from models import images
from models.loading import Network
from models.noisy import on_cpu, on_device
from models.passes import passing
from models.registry import card
from models.sampling import Sampler

ROOT = Path(__file__).parent.parent.parent
SAMPLES = 75  # more than two batches of 32, the last one short


@pytest.fixture(scope="module")
def whole(sampler: Sampler, plan: Plan, digit: NDArray[np.uint8]) -> Evidence:
    return sampler.draw(plan, digit, 0, SAMPLES)


def slow_scores(plan: Plan, tiny: Network, image: NDArray[np.uint8], sample: int) -> NDArray:
    """One sample by hand: noise, autograd, grid."""
    law = noise.table(plan.recipe.noise)
    delta = noise.draw(law, int(plan.key, 16), sample, image.size).reshape(image.shape)
    x = torch.from_numpy(image.astype(np.float32) + delta).requires_grad_()
    tiny(x.expand(plan.recipe.lanes, -1, -1, -1))[0, plan.target].backward()
    plane = x.grad.abs().amax(2).numpy()
    cell = plan.recipe.cell
    return plane.reshape(plan.rows, cell, plan.columns, cell).mean((1, 3), dtype=np.float64).ravel()


def test_votes_are_those_of_each_sample_by_hand(
    whole: Evidence, plan: Plan, tiny: Network, digit: NDArray[np.uint8]
) -> None:
    votes = np.unpackbits(whole.votes, axis=1, count=plan.features).astype(bool)
    for sample in (0, 1, 40, SAMPLES - 1):
        scores = slow_scores(plan, tiny, digit, sample)
        best = np.argsort(-scores, kind="stable")[: plan.recipe.votes]
        assert set(np.flatnonzero(votes[sample])) == set(best)
    assert (whole.counts == votes.sum(0)).all()
    assert whole.counts.sum() == SAMPLES * plan.recipe.votes


@settings(max_examples=25, deadline=None)
@given(
    cuts=st.sets(st.integers(1, SAMPLES - 1), max_size=5),
    order=st.randoms(use_true_random=False),
)
def test_any_split_in_any_order_gives_the_same_evidence(
    cuts: set[int],
    order: object,
    sampler: Sampler,
    plan: Plan,
    digit: NDArray[np.uint8],
    whole: Evidence,
) -> None:
    edges = [0, *sorted(cuts), SAMPLES]
    pieces = [sampler.draw(plan, digit, a, b) for a, b in pairwise(edges)]
    order.shuffle(pieces)  # type: ignore[attr-defined]
    merged = pieces[0]
    for piece in pieces[1:]:
        merged = merged.merge(piece)
    assert merged.digest() == whole.digest()


@settings(max_examples=10, deadline=None)
@given(cut=st.integers(0, SAMPLES))
def test_averages_add_up_to_the_same_bits(
    cut: int, sampler: Sampler, plan: Plan, digit: NDArray[np.uint8]
) -> None:
    total = sampler.average(plan, digit, 0, SAMPLES)
    parts = sampler.average(plan, digit, cut, SAMPLES) + sampler.average(plan, digit, 0, cut)
    np.testing.assert_array_equal(parts, total)


def test_average_is_the_sum_of_each_sample_by_hand(
    sampler: Sampler, plan: Plan, tiny: Network, digit: NDArray[np.uint8]
) -> None:
    slow = sum(slow_scores(plan, tiny, digit, sample) for sample in range(5, 45))
    np.testing.assert_allclose(sampler.average(plan, digit, 5, 45), slow, rtol=1e-4, atol=1e-7)


def test_place_and_neighbours_in_the_batch_do_not_matter(
    tiny: Network, digits: NDArray[np.uint8]
) -> None:
    lanes = tiny.card.lanes
    batch = torch.from_numpy(np.resize(digits, (lanes, 16, 16, 3))).float()
    generator = np.random.Generator(np.random.Philox(4))
    logits = tiny(batch)
    for _ in range(3):
        order = torch.from_numpy(generator.permutation(lanes))
        assert torch.equal(tiny(batch[order]), logits[order])
    others = batch.clone()
    others[1:] = torch.nan
    assert torch.equal(tiny(others)[0], logits[0])


def test_strict_evidence_is_that_of_each_sample_alone(
    sampler: Sampler, plan: Plan, tiny: Network, digit: NDArray[np.uint8]
) -> None:
    """Bit for bit what the network says when it sees one picture, by hand and one by one."""
    strict = replace(plan, recipe=replace(plan.recipe, lanes=1))
    whole = sampler.draw(strict, digit, 0, SAMPLES)
    votes = np.unpackbits(whole.votes, axis=1, count=plan.features).astype(bool)
    alone = [sampler.draw(strict, digit, sample, sample + 1) for sample in range(SAMPLES)]
    merged = alone[0]
    for each in alone[1:]:
        merged = merged.merge(each)
    assert merged.digest() == whole.digest()
    for sample in range(SAMPLES):
        best = np.argsort(-slow_scores(strict, tiny, digit, sample), kind="stable")
        assert set(np.flatnonzero(votes[sample])) == set(best[: plan.recipe.votes])
    total = sum(sampler.average(strict, digit, sample, sample + 1) for sample in range(20))
    np.testing.assert_array_equal(sampler.average(strict, digit, 0, 20), total)


def test_a_sample_is_the_same_with_any_neighbours(
    sampler: Sampler, plan: Plan, digit: NDArray[np.uint8], whole: Evidence
) -> None:
    """Not strict: whoever else is in the batch, and wherever in it the sample lies."""
    votes = np.unpackbits(whole.votes, axis=1, count=plan.features)
    for sample in (0, 31, 32, 50):
        for start in {sample, max(sample - 5, 0), max(sample - 31, 0)}:
            found = sampler.draw(plan, digit, start, sample + 1)
            row = np.unpackbits(found.votes, axis=1, count=plan.features)[sample - start]
            np.testing.assert_array_equal(row, votes[sample])
            assert found.predictions[sample - start] == whole.predictions[sample]


@pytest.mark.parametrize("name", ["efficientnet-lite0"])
def test_splits_on_a_real_network(name: str) -> None:
    made = card(name)
    sampler = Sampler(Network(made))
    data = (ROOT / "examples" / "photos" / "coffee.jpg").read_bytes()
    image = images.fit(images.decode(data, max_pixels=10**6), made)
    recipe = Recipe("gaussian", 2, 0.25, "gradient", 1, 5000, made.lanes, "float32")
    sides = (made.size, made.size, 3)
    plan = Plan(name, made.weights, images.digest(image), *sides, 967, recipe, "5" * 32)
    total = made.lanes + 3
    whole = sampler.draw(plan, image, 0, total)
    parts = sampler.draw(plan, image, 5, total).merge(sampler.draw(plan, image, 0, 5))
    assert parts.digest() == whole.digest()
    np.testing.assert_array_equal(
        sampler.average(plan, image, 0, 5) + sampler.average(plan, image, 5, total),
        sampler.average(plan, image, 0, total),
    )


@pytest.mark.parametrize("base", ["gradient", "input_x_gradient"])
def test_noise_made_on_the_device_is_noise_made_on_the_host(
    sampler: Sampler, plan: Plan, digit: NDArray[np.uint8], base: str
) -> None:
    of = passing(sampler.network, base)
    host, other = on_cpu(plan, digit, of), on_device(plan, digit, of)
    for samples in (range(0, 32), range(64, 75)):
        here, there = torch.zeros(2, len(samples), *digit.shape)
        host(samples, here)
        other(samples, there)
        assert torch.equal(here, there) and here.any()


def test_noisy_pictures_are_integers_and_not_clipped(
    sampler: Sampler, plan: Plan, digit: NDArray[np.uint8]
) -> None:
    noisy = torch.zeros(32, *digit.shape)
    on_cpu(plan, digit, passing(sampler.network, "input_x_gradient"))(range(32), noisy)
    assert torch.equal(noisy, noisy.round())
    assert noisy.min() < -50 and noisy.max() > 305


@pytest.mark.parametrize("base", ["gradient", "input_x_gradient"])
def test_the_default_type_is_not_ours(
    sampler: Sampler, plan: Plan, digit: NDArray[np.uint8], base: str
) -> None:
    plan, seen = replace(plan, recipe=replace(plan.recipe, attribution=base)), []
    for default in (torch.float32, torch.float64, torch.bfloat16):
        torch.set_default_dtype(default)
        try:
            drawn = torch.zeros(3, *digit.shape, dtype=torch.float32)
            on_device(plan, digit, passing(sampler.network, base))(range(5, 8), drawn)
            seen.append((sampler.scores(plan, digit, 5, 16), drawn.numpy()))
        finally:
            torch.set_default_dtype(torch.float32)
    for found in seen[1:]:
        for one, right in zip(found, seen[0], strict=True):
            assert one.dtype == np.float32 and np.array_equal(one, right) and right.any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_splits_give_the_same_evidence(plan: Plan, digit: NDArray[np.uint8]) -> None:
    sampler = Sampler(Network(card("digits-tiny"), "cuda"))
    whole = sampler.draw(plan, digit, 0, SAMPLES)
    parts = sampler.draw(plan, digit, 40, SAMPLES).merge(sampler.draw(plan, digit, 0, 40))
    assert parts.digest() == whole.digest()


@pytest.mark.parametrize("score", ["linear", "sigmoid"])
def test_points_are_given_by_the_ranks_that_votes_come_from(
    sampler: Sampler, plan: Plan, digit: NDArray[np.uint8], score: str
) -> None:
    by_points = replace(plan, recipe=replace(plan.recipe, score=score))
    votes, whole = (sampler.draw(each, digit, 0, SAMPLES) for each in (plan, by_points))
    parts = sampler.draw(by_points, digit, 40, SAMPLES).merge(sampler.draw(by_points, digit, 0, 40))
    assert parts.digest() == whole.digest() and whole.votes is None and votes.votes is not None
    places, predictions = sampler.rank(plan, digit, 0, SAMPLES)
    bits = np.unpackbits(votes.votes, axis=1, count=plan.features).astype(bool)
    np.testing.assert_array_equal(places < plan.recipe.votes, bits)
    np.testing.assert_array_equal(predictions, whole.predictions)
    order = np.argsort(-sampler.scores(plan, digit, 0, SAMPLES), axis=1, kind="stable")
    np.testing.assert_array_equal(places, np.argsort(order, axis=1))
    given = by_points.points[places]
    np.testing.assert_array_equal(whole.counts, given.sum(axis=0))
    np.testing.assert_array_equal(whole.squares, (given**2).sum(axis=0))


@pytest.mark.parametrize("score", ["vote", "linear"])
def test_votes_are_packed_as_they_come(
    sampler: Sampler,
    plan: Plan,
    digit: NDArray[np.uint8],
    score: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scored = replace(plan, recipe=replace(plan.recipe, score=score))
    at_once = sampler.draw(scored, digit, 0, SAMPLES)
    packed, from_rows = [], getattr(Evidence, "from_votes" if score == "vote" else "from_points")

    def noted(start: int, rows: NDArray, predictions: NDArray) -> Evidence:
        packed.append(len(predictions))
        return from_rows(start, rows, predictions)

    monkeypatch.setattr(Evidence, from_rows.__name__, noted)
    monkeypatch.setattr("models.tallies.WAITING_BYTES", 1)
    assert sampler.draw(scored, digit, 0, SAMPLES).digest() == at_once.digest()
    assert max(packed) <= plan.recipe.lanes and sum(packed) == SAMPLES


def test_no_samples_are_no_evidence(sampler: Sampler, plan: Plan, digit: NDArray[np.uint8]) -> None:
    assert sampler.draw(plan, digit, 7, 7).digest() == Evidence.empty(plan.features).digest()
    assert not sampler.average(plan, digit, 7, 7).any()
    by_points = replace(plan, recipe=replace(plan.recipe, score="linear"))
    nothing = Evidence.empty(plan.features, votes_only=False)
    assert sampler.draw(by_points, digit, 7, 7).digest() == nothing.digest()


def test_look_is_the_clean_prediction_and_gradient(
    sampler: Sampler, tiny: Network, digit: NDArray[np.uint8]
) -> None:
    x = torch.from_numpy(digit).float()[None].requires_grad_()
    logits = tiny(x)
    logits[0, 7].backward()
    look = sampler.look(digit, 7)
    assert look.target == 7
    assert look.probabilities.dtype == look.map.dtype == np.float32
    np.testing.assert_array_equal(look.map, x.grad[0].abs().amax(2).numpy())
    wanted = logits.detach().softmax(1)[0].numpy()
    np.testing.assert_allclose(look.probabilities, wanted, rtol=1e-6)
    assert sampler.look(digit).target == 3
