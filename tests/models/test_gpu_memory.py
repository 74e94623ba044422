"""On a GPU short of memory: fewer batches in flight, and the same evidence."""

from dataclasses import replace

import pytest
import torch

from models.gpu.flight import Flight
from models.gpu.inputs import Plain
from models.gpu.sampler import GpuSampler
from models.lanes import Piece
from models.loading import Network
from models.passes import passing
from models.sampling import Sampler
from tests.models.mixtures import digests
from tests.models.stand_ins import Counted, Cramped


@pytest.mark.parametrize(("most", "depth"), [(4, 4), (3, 2), (1, 1)])
def test_out_of_memory_means_fewer_batches_in_flight_and_the_same_evidence(
    most: int, depth: int, sampler: Sampler, pieces: list[Piece], wanted: list[str]
) -> None:
    cramped = Cramped(most)
    made = GpuSampler(sampler, cramped, [Plain], 4)
    assert digests(made.together(pieces)) == wanted
    assert made.depth(pieces[1].plan) == depth
    assert cramped.relieved == {4: 0, 3: 1, 1: 2}[most]


def test_no_memory_for_a_single_batch_is_said(sampler: Sampler, pieces: list[Piece]) -> None:
    with pytest.raises(torch.OutOfMemoryError, match="as the tests want it"):
        GpuSampler(sampler, Cramped(0), [Plain], 4).together(pieces)


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
