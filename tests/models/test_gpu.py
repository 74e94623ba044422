"""The way of samples on a GPU, on the CPU: the same evidence, in whatever order queues get on."""

import logging
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify.plan import Plan
from models.gpu.flight import Flight
from models.gpu.hardware import Here
from models.gpu.inputs import Plain
from models.gpu.sampler import GpuSampler, opened
from models.lanes import Piece
from models.loading import Network
from models.sampling import Sampler
from tests.models.mixtures import about, digests
from tests.models.stand_ins import Shuffled


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("hardware", [Here, Shuffled])
def test_evidence_is_the_plain_samplers_whatever_flies_beside_it(
    hardware: type[Here], depth: int, sampler: Sampler, pieces: list[Piece], wanted: list[str]
) -> None:
    made = GpuSampler(sampler, hardware(), [Plain], depth)
    assert digests(made.together(pieces)) == wanted
    assert digests(made.together(pieces)) == wanted  # the same slots again
    assert made.depth(pieces[1].plan) == depth


def test_queues_that_shared_tensors_would_be_noticed(
    sampler: Sampler, pieces: list[Piece], wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake that `Shuffled` is there to find."""
    real = Flight.__init__

    def sharing(self: Flight, *rest: object) -> None:
        real(self, *rest)  # type: ignore[arg-type]
        self.slots = [replace(self.slots[0], queue=slot.queue) for slot in self.slots]

    monkeypatch.setattr(Flight, "__init__", sharing)
    made = GpuSampler(sampler, Shuffled(), [Plain], 2)
    # One batch is not enough to make a mistake with.
    assert digests(made.together(pieces[:2])) == wanted[:2]
    assert made.depth(pieces[1].plan) == 2
    assert digests(made.together(pieces)) != wanted


def test_places_and_averages_are_the_plain_samplers(sampler: Sampler, pieces: list[Piece]) -> None:
    made = GpuSampler(sampler, Shuffled(), [Plain])
    for each in (pieces[2], pieces[4]):
        asked = each.plan, each.image, 5, 75
        for found, right in zip(made.rank(*asked), sampler.rank(*asked), strict=True):
            np.testing.assert_array_equal(found, right)
            assert found.dtype == right.dtype
        np.testing.assert_array_equal(made.average(*asked), sampler.average(*asked))


def test_no_samples_are_no_evidence(sampler: Sampler, pieces: list[Piece]) -> None:
    made = GpuSampler(sampler, Here(), [Plain])
    none = [replace(each, stop=each.start) for each in pieces]
    assert digests(made.together(none)) == digests(sampler.together(none))
    some = [none[4], pieces[1], none[0]]
    assert digests(made.together(some)) == digests(sampler.together(some))
    assert made.together([]) == []


def test_of_many_features_only_counts_come_back(
    sampler: Sampler, digits: NDArray[np.uint8], plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = about(digits, plan, 6, cell=1, votes=40)(0, 70)
    assert asked.plan.features == 256
    for module in ("certify.evidence", "models.gpu.tallies"):
        monkeypatch.setattr(f"{module}.VOTES_FEATURES", 255)
    (found,) = GpuSampler(sampler, Shuffled(), [Plain]).together([asked])
    (right,) = sampler.together([asked])
    assert found.votes is None and found.digest() == right.digest()


def test_it_looks_and_refuses_as_the_plain_sampler(sampler: Sampler, pieces: list[Piece]) -> None:
    made = GpuSampler(sampler, Here(), [Plain])
    image = pieces[0].image
    assert made.card == sampler.card and made.dancer is sampler.dancer
    np.testing.assert_array_equal(made.look(image).map, sampler.look(image).map)
    with pytest.raises(ValueError, match="0 ≤ start ≤ stop"):
        made.draw(pieces[0].plan, image, 3, 2)
    with pytest.raises(ValueError, match="to share a batch"):
        other = replace(pieces[0].plan, recipe=replace(pieces[0].plan.recipe, lanes=1))
        made.together([pieces[1], Piece(other, image, 0, 4)])


def test_only_a_network_on_a_gpu_goes_this_way(tiny: Network) -> None:
    assert type(opened(tiny)) is Sampler
    there = copy(tiny)
    there.device = torch.device("cuda:1")
    made = opened(there)
    assert isinstance(made, GpuSampler) and made.card == tiny.card
    assert made._hardware.device == there.device


class Wrong(Plain):
    """Forgets the noise of the last lane."""

    def write(self, batch: int, into: Tensor) -> None:
        super().write(batch, into)
        into[len(self._dealt[batch][-1].samples) - 1] = 0


class Broken(Plain):
    def write(self, batch: int, into: Tensor) -> None:
        raise RuntimeError("no compiler here")


@pytest.mark.parametrize(
    ("ways", "says", "depth"),
    [
        ([Wrong, Plain], ["Wrong", "other evidence"], 2),
        ([Broken, Wrong], ["Broken", "no compiler here", "Wrong", "other evidence"], 2),
        ([], [], 0),
    ],
)
def test_a_way_that_does_not_give_the_evidence_is_not_used_and_it_is_said(
    ways: list[type[Plain]],
    says: list[str],
    depth: int,
    sampler: Sampler,
    pieces: list[Piece],
    wanted: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        made = GpuSampler(sampler, Here(), ways)
        assert digests(made.together(pieces)) == wanted
        assert digests(made.together(pieces)) == wanted
    assert all(said in caplog.text for said in says)
    assert len(caplog.records) == len(says) // 2  # not again with every request
    assert made.depth(pieces[1].plan) == depth
