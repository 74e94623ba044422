"""Batches of several requests: dealt out full, and each piece gives what it gives alone."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from certify.plan import Plan, Recipe
from models import images
from models.attribution.bases import ATTRIBUTIONS
from models.attribution.gradient import gradient_of
from models.lanes import Piece, batches, company
from models.loading import Network
from models.registry import card
from models.sampling import Sampler
from tests.models.mixtures import Kind, about, alone, digests

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
ON_DIGITS = card("digits-tiny").attributions


@given(
    lengths=st.lists(st.integers(0, 40), max_size=8),
    starts=st.lists(st.integers(0, 1 << 40), min_size=8, max_size=8),
    lanes=st.integers(1, 32),
)
def test_batches_hold_every_sample_once_in_order_and_are_full_but_the_last(
    lengths: list[int], starts: list[int], lanes: int
) -> None:
    ranges = [range(a, a + n) for a, n in zip(starts, lengths, strict=False)]
    dealt = list(batches(ranges, lanes))
    for number, samples in enumerate(ranges):
        runs = [run for batch in dealt for run in batch if run.piece == number]
        assert [s for run in runs for s in run.samples] == list(samples)
    for batch in dealt:
        assert batch[0].lane == 0
        assert all(one.lanes.stop == other.lane for one, other in pairwise(batch))
        assert all(len(run.samples) > 0 for run in batch)
    used = [batch[-1].lanes.stop for batch in dealt]
    assert all(n == lanes for n in used[:-1]) and all(0 < n <= lanes for n in used[-1:])


@settings(max_examples=15, deadline=None)
@given(
    asked=st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 90), st.integers(0, 45)), min_size=1, max_size=6
    )
)
def test_any_mix_in_any_order_gives_each_piece_what_it_gets_alone(
    asked: list[tuple[int, int, int]], sampler: Sampler, kinds: list[Kind]
) -> None:
    pieces = [kinds[kind](start, start + count) for kind, start, count in asked]
    assert digests(sampler.together(pieces)) == digests([alone(sampler, each) for each in pieces])


def test_a_sum_in_parts_among_others_is_the_sum(sampler: Sampler, kinds: list[Kind]) -> None:
    """Parts that begin and end within batches add up to the bits of the whole, in any order."""
    votes, sums, other = kinds[2], kinds[6], kinds[7]
    pieces = [sums(5, 18), votes(0, 30), other(7, 20), sums(31, 70), sums(18, 31)]
    first, _, _, last, middle = sampler.together(pieces)
    np.testing.assert_array_equal(last + middle + first, alone(sampler, sums(5, 70)))
    assert np.any(first) and first.dtype == np.float64


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_low_precision_mixes_as_well(
    precision: str, sampler: Sampler, digits: NDArray[np.uint8], plan: Plan
) -> None:
    made = [about(digits, plan, n, summed=n > 1, precision=precision) for n in range(4)]
    pieces = [kind(n, 20 + n) for n, kind in enumerate(made)]
    assert digests(sampler.together(pieces)) == digests([alone(sampler, each) for each in pieces])


def test_a_batch_of_many_requests_takes_one_pass(
    sampler: Sampler, kinds: list[Kind], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []

    def counting(network: Network, pictures: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        passes.append(len(pictures))
        return gradient_of(network, pictures, target)

    monkeypatch.setattr("models.passes.gradient_of", counting)
    assert len(sampler.together([kind(3, 11) for kind in kinds])) == 8
    assert passes == [sampler.card.lanes] * 2


@pytest.mark.parametrize("name", ON_DIGITS)
def test_a_target_for_each_picture_changes_no_bit_of_any_base_map(
    name: str, tiny: Network, digits: NDArray[np.uint8]
) -> None:
    """One class for all, or the classes one by one: the same maps, and so the same evidence."""
    attribution, generator = ATTRIBUTIONS[name], np.random.Generator(np.random.Philox(21))
    clean = np.resize(digits, (tiny.card.lanes, *digits.shape[1:]))
    noisy = (clean + generator.normal(0, 64, clean.shape)).round().astype(np.float32)
    batch, targets = torch.from_numpy(noisy), torch.arange(len(noisy)) % 3
    maps, logits = attribution.with_logits(tiny, batch, targets)
    alone, same = attribution.with_logits(tiny, batch, 1)
    assert torch.equal(maps[targets == 1], alone[targets == 1]) and torch.equal(logits, same)
    assert not torch.equal(maps[targets == 2], alone[targets == 2])


def test_nothing_together_is_nothing(sampler: Sampler) -> None:
    assert sampler.together([]) == []


@pytest.mark.parametrize("summed", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("change", [{"lanes": 1}, {"attribution": "input_x_gradient"}])
def test_pieces_of_different_passes_are_refused(
    sampler: Sampler,
    plan: Plan,
    digit: NDArray[np.uint8],
    change: dict[str, object],
    summed: tuple[bool, bool],
) -> None:
    other = replace(plan, recipe=replace(plan.recipe, **change))  # type: ignore[arg-type]
    assert company(other) != company(plan)
    pieces = [Piece(p, digit, 0, 4, s) for p, s in zip((plan, other), summed, strict=True)]
    with pytest.raises(ValueError, match="to share a batch"):
        sampler.together(pieces)


def test_a_wrong_piece_among_others_is_refused_by_name(
    sampler: Sampler, plan: Plan, digit: NDArray[np.uint8]
) -> None:
    for summed in (False, True):
        wrong = Piece(replace(plan, image="0" * 64), digit, 0, 4, summed)
        with pytest.raises(ValueError, match="image digest is 0000"):
            sampler.together([Piece(plan, digit, 0, 4), wrong])


@pytest.mark.slow
@pytest.mark.parametrize("attribution", ["gradient", "input_x_gradient", "grad_cam"])
def test_requests_share_batches_of_a_real_network(attribution: str) -> None:
    made = card("efficientnet-lite0")
    sampler, pieces = Sampler(Network(made)), []
    asked = [
        ("coffee", 967, 0.25, 16, 20),
        ("chelsea", 281, 0.5, 1, 5000),
        ("rocket", 657, 0.1, 8, 90),
    ]
    for (photo, target, scale, cell, votes), (start, stop) in zip(
        asked, [(3, 8), (0, 10), (5, 14)], strict=True
    ):
        data = (PHOTOS / f"{photo}.jpg").read_bytes()
        image = images.fit(images.decode(data, max_pixels=10**8), made)
        recipe = Recipe("gaussian", 2, scale, attribution, cell, votes, made.lanes, "float32")
        sides = (made.size, made.size, 3)
        digest, key = images.digest(image), f"{target:032x}"
        plan = Plan(made.name, made.weights, digest, *sides, target, recipe, key)
        pieces.append(Piece(plan, image, start, stop, summed=photo == "chelsea"))
    assert digests(sampler.together(pieces)) == digests([alone(sampler, each) for each in pieces])
