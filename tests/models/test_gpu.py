"""The way of samples on a GPU, on the CPU: the same evidence, in whatever order queues get on.

`Shuffled` does nothing of what its queues are given until somebody waits, and then in an order that
only keeps to each queue's own: whoever reads too early, or lets one queue depend on another, gets
other evidence.
"""

import logging
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from certify.evidence import Evidence
from certify.plan import Plan, Recipe
from models import images
from models.attribution.bases import ATTRIBUTIONS
from models.gpu.flight import Flight
from models.gpu.hardware import Here, Work
from models.gpu.inputs import Fused, Plain
from models.gpu.passes import passing
from models.gpu.sampler import GpuSampler, opened
from models.gpu.tallies import packed
from models.lanes import Piece
from models.loading import Network
from models.sampling import Sampler

Kind = Callable[[int, int], Piece]


class Shuffled(Here):
    """Queues that get on in a random order, and only while somebody waits."""

    def __init__(self, seed: int = 1) -> None:
        self.queues: list[deque[Work]] = []
        self._generator = np.random.Generator(np.random.Philox(seed))

    def queue(self) -> "ShuffledQueue":
        self.queues.append(deque())
        return ShuffledQueue(self, self.queues[-1])

    def host(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return torch.full(shape, 77, dtype=dtype)

    def step(self) -> None:
        ready = [queue for queue in self.queues if queue]
        ready[self._generator.integers(len(ready))].popleft()()


class ShuffledQueue:
    def __init__(self, hardware: Shuffled, work: deque[Work]) -> None:
        self._hardware, self._work = hardware, work

    def submit(self, work: Work) -> None:
        self._work.append(work)

    def follow(self) -> None:
        pass

    def repeatable(self, work: Work) -> Work:
        return work

    def wait(self) -> None:
        while self._work:
            self._hardware.step()


class Cramped(Here):
    """Memory for `most` batches in flight, found out while they fly."""

    def __init__(self, most: int) -> None:
        self.most, self.relieved = most, 0
        self.queues: weakref.WeakSet[CrampedQueue] = weakref.WeakSet()

    def queue(self) -> "CrampedQueue":
        made = CrampedQueue(self)
        self.queues.add(made)
        return made

    def relieve(self) -> None:
        self.relieved += 1


class CrampedQueue(ShuffledQueue):
    def __init__(self, hardware: Cramped) -> None:
        self.hardware = hardware

    def submit(self, work: Work) -> None:
        if len(self.hardware.queues) > self.hardware.most:
            raise torch.OutOfMemoryError("as the tests want it")
        work()

    def wait(self) -> None:
        pass


def about(digits: NDArray[np.uint8], plan: Plan, digit: int, **recipe: object) -> Kind:
    """Makes pieces about another digit, of another key, for its own class."""
    changed = replace(plan.recipe, **recipe)  # type: ignore[arg-type]
    own = {"image": images.digest(digits[digit]), "target": digit, "key": f"{digit:032x}"}
    other = replace(plan, recipe=changed, **own)  # type: ignore[arg-type]
    return lambda start, stop: Piece(other, digits[digit], start, stop)


@pytest.fixture(scope="module")
def pieces(digits: NDArray[np.uint8], plan: Plan) -> list[Piece]:
    """Requests that differ in all that may: picture, target, key, noise, cell, votes, score."""
    kinds = [
        about(digits, plan, 0),
        about(digits, plan, 1, scale=0.5),
        about(digits, plan, 2, cell=4, votes=3),
        about(digits, plan, 3, law="laplace", shape=1),
        about(digits, plan, 4, score="linear"),
        about(digits, plan, 5, cell=1, votes=40),
    ]
    return [kind(7, 7 + 9 * number) for number, kind in enumerate(kinds)]


@pytest.fixture(scope="module")
def wanted(sampler: Sampler, pieces: list[Piece]) -> list[str]:
    return digests(sampler.draw_together(pieces))


def digests(evidence: Sequence[Evidence]) -> list[str]:
    return [each.digest() for each in evidence]


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("hardware", [Here, Shuffled])
def test_evidence_is_the_plain_samplers_whatever_flies_beside_it(
    hardware: type[Here], depth: int, sampler: Sampler, pieces: list[Piece], wanted: list[str]
) -> None:
    made = GpuSampler(sampler, hardware(), [Plain], depth)
    assert digests(made.draw_together(pieces)) == wanted
    assert digests(made.draw_together(pieces)) == wanted  # the same slots again
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
    assert digests(made.draw_together(pieces[:2])) == wanted[:2]
    assert made.depth(pieces[1].plan) == 2
    assert digests(made.draw_together(pieces)) != wanted


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
    assert digests(made.draw_together(none)) == digests(sampler.draw_together(none))
    some = [none[4], pieces[1], none[0]]
    assert digests(made.draw_together(some)) == digests(sampler.draw_together(some))
    assert made.draw_together([]) == []


def test_of_many_features_only_counts_come_back(
    sampler: Sampler, digits: NDArray[np.uint8], plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = about(digits, plan, 6, cell=1, votes=40)(0, 70)
    assert asked.plan.features == 256
    for module in ("certify.evidence", "models.gpu.tallies"):
        monkeypatch.setattr(f"{module}.VOTES_FEATURES", 255)
    (found,) = GpuSampler(sampler, Shuffled(), [Plain]).draw_together([asked])
    (right,) = sampler.draw_together([asked])
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
        made.draw_together([pieces[1], Piece(other, image, 0, 4)])


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
        assert digests(made.draw_together(pieces)) == wanted
        assert digests(made.draw_together(pieces)) == wanted
    assert all(said in caplog.text for said in says)
    assert len(caplog.records) == len(says) // 2  # not again with every request
    assert made.depth(pieces[1].plan) == depth


@pytest.mark.parametrize(("most", "depth"), [(4, 4), (3, 2), (1, 1)])
def test_out_of_memory_means_fewer_batches_in_flight_and_the_same_evidence(
    most: int, depth: int, sampler: Sampler, pieces: list[Piece], wanted: list[str]
) -> None:
    cramped = Cramped(most)
    made = GpuSampler(sampler, cramped, [Plain], 4)
    assert digests(made.draw_together(pieces)) == wanted
    assert made.depth(pieces[1].plan) == depth
    assert cramped.relieved == {4: 0, 3: 1, 1: 2}[most]


def test_no_memory_for_a_single_batch_is_said(sampler: Sampler, pieces: list[Piece]) -> None:
    with pytest.raises(torch.OutOfMemoryError, match="as the tests want it"):
        GpuSampler(sampler, Cramped(0), [Plain], 4).draw_together(pieces)


def test_other_flights_give_way_before_this_one_is_halved(
    sampler: Sampler, pieces: list[Piece]
) -> None:
    cramped = Cramped(3)
    made = GpuSampler(sampler, cramped, [Plain], 2)
    plan, image = pieces[0].plan, pieces[0].image
    alone = replace(plan, recipe=replace(plan.recipe, lanes=1))
    for each in (plan, alone, plan):
        found = made.draw(each, image, 0, 3).digest()
        assert found == sampler.draw(each, image, 0, 3).digest()
        assert made.depth(each) == 2
    assert made.depth(alone) == 0 and cramped.relieved == 2


class Counted(Here):
    """Memory of which each queue takes 30 bytes, and that has another price than it says."""

    def __init__(self, memory: int, refuses: int) -> None:
        self.memory, self.refuses, self.made = memory, refuses, 0

    def free(self) -> int:
        return self.memory - 30 * self.made

    def queue(self) -> object:  # type: ignore[override]
        self.made += 1
        if self.made > self.refuses:
            raise torch.OutOfMemoryError("as the tests want it")
        return super().queue()


@pytest.mark.parametrize(
    ("memory", "refuses", "slots"), [(1000, 99, 4), (100, 99, 3), (40, 99, 1), (1000, 2, 2)]
)
def test_as_many_slots_as_free_memory_holds(
    tiny: Network, memory: int, refuses: int, slots: int
) -> None:
    flight = Flight(passing(tiny, "gradient"), 8, Counted(memory, refuses), 4)
    assert len(flight.slots) == slots


def test_not_even_one_slot_is_an_error(tiny: Network) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        Flight(passing(tiny, "gradient"), 8, Counted(1000, 0), 4)


@pytest.mark.parametrize("features", [1, 7, 8, 9, 49, 100])
def test_votes_are_packed_as_numpy_packs(features: int) -> None:
    votes = np.random.Generator(np.random.Philox(3)).random((5, features)) < 0.4
    np.testing.assert_array_equal(packed(torch.from_numpy(votes)), np.packbits(votes, axis=1))


@pytest.fixture(scope="module")
def small(as_network: Callable[[nn.Module, int], Network]) -> Network:
    """A network of 6×6 pictures with planes and odd normalisation."""
    generator = torch.Generator().manual_seed(5)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(64, 10))
    for parameter in layers.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / 3
    made = as_network(layers, 6)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    made.card = replace(made.card, cam_layer="1", unsupported=(), mean=mean, std=std)
    made._mean, made._std = torch.tensor(mean), torch.tensor(std)
    return made


@pytest.mark.parametrize("attribution", ["gradient", "grad_cam", "input_x_gradient"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_pass_from_prepared_input_gives_the_bits_of_the_base_map(
    small: Network, attribution: str, precision: str
) -> None:
    network = small.at(precision)
    generator = np.random.Generator(np.random.Philox(6))
    pictures = torch.from_numpy(generator.integers(-300, 600, (4, 6, 6, 3)).astype(np.float32))
    targets, of = torch.tensor([3, 1, 4, 1]), passing(network, attribution)
    given = of.prepared(pictures).contiguous(memory_format=torch.channels_last)
    assert given.dtype == of.dtype
    found = of.run(given, targets)
    for one, right in zip(
        found, ATTRIBUTIONS[attribution].with_logits(network, pictures, targets), strict=True
    ):
        assert one.dtype == torch.float32 and torch.equal(one, right)
        assert one.abs().max() > 0


@pytest.mark.parametrize(
    ("attribution", "precision"),
    [("gradient", "float32"), ("grad_cam", "bfloat16"), ("input_x_gradient", "float32")],
)
def test_evidence_by_the_kernel_is_the_plain_samplers(
    small: Network, attribution: str, precision: str, interpreted: ModuleType
) -> None:
    """Two requests of different laws in one batch; the kernel as Triton's interpreter runs it."""
    sampler = Sampler(small)
    recipe = Recipe("gaussian", 2, 0.25, attribution, 1, 5, 4, precision)
    generator = np.random.Generator(np.random.Philox(7))
    pieces = []
    for number, law in enumerate((("gaussian", 2), ("laplace", 1))):
        image = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        named = replace(recipe, law=law[0], shape=law[1])
        about = small.card.name, small.card.weights, images.digest(image), 6, 6, 3
        pieces.append(Piece(Plan(*about, number, named, "f0" * 16), image, 2**62, 2**62 + 2))
    made = GpuSampler(sampler, Shuffled(), [partial(Fused, write=interpreted.write)])
    assert digests(made.draw_together(pieces)) == digests(sampler.draw_together(pieces))
    assert made.depth(pieces[0].plan) == 2  # so that it was not the plain sampler's work
