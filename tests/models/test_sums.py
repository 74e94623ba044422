"""Sums in an order of their own, and enlargements, beside those of torch."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.sums import added, enlarged, mean_of_plane

numbers = st.floats(-1e3, 1e3, width=32)


@given(values=st.lists(numbers, min_size=1, max_size=40))
def test_a_sum_is_near_the_exact_one_and_the_same_along_any_dimension(values: list[float]) -> None:
    row = torch.tensor(values)
    found = [added(row.view(shape), dim) for shape, dim in (((1, -1), 1), ((-1, 1), 0))]
    exact = sum(map(Fraction, row.tolist()))
    # Each value meets at most log2 n halvings and as many leftovers.
    bound = 2.0**-23 * 2 * len(values).bit_length() * float(row.abs().sum()) + 1e-40
    assert torch.equal(found[0], found[1]) and abs(Fraction(float(found[0])) - exact) <= bound


def test_halves_are_added_to_each_other_and_what_is_odd_comes_last() -> None:
    """In float32, 2^24 + 1 is 2^24: the order shows."""
    big, one = float(2**24), 1.0
    assert added(torch.tensor([big, one, -big, one]), 0) == 2
    assert added(torch.tensor([big, -big, one, one]), 0) == 1
    assert added(torch.tensor([big, -big, one]), 0) == 1
    assert added(torch.tensor([one, big, -big]), 0) == 0
    # Of seven and of three the last waits: 1, which waited first, is added first.
    assert added(torch.tensor([big, 0, -big, 0, 0, 0, one]), 0) == 0


def test_a_mean_can_be_differentiated() -> None:
    planes = torch.arange(2.0 * 3 * 5 * 7).view(2, 3, 5, 7).requires_grad_()
    torch.testing.assert_close(mean_of_plane(planes), planes.mean((2, 3)))
    (slopes,) = torch.autograd.grad((mean_of_plane(planes) * torch.arange(3.0)).sum(), planes)
    assert torch.equal(slopes, (torch.arange(3.0) / 35).view(1, 3, 1, 1).expand_as(planes))


def test_slopes_of_a_mean_are_those_of_its_halves_and_can_be_differentiated() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        planes = torch.arange(2.0 * 3 * 5 * 7).view(2, 3, 5, 7).to(dtype).requires_grad_()
        halves = added(planes.flatten(2), 2) / 35
        found, wanted = (
            torch.autograd.grad((mean**2).sum(), planes, create_graph=True)[0]
            for mean in (mean_of_plane(planes), halves)
        )
        assert torch.equal(found, wanted)
        again = (torch.autograd.grad((each**2).sum(), planes)[0] for each in (found, wanted))
        torch.testing.assert_close(*again)
    assert torch.autograd.gradgradcheck(mean_of_plane, planes.detach().double().requires_grad_())


@pytest.mark.parametrize("few", [(7, 7), (4, 9), (1, 1), (16, 3)])
@pytest.mark.parametrize("many", [(224, 224), (16, 33), (5, 2)])
def test_enlarged_as_by_torch_and_nowhere_negative(
    few: tuple[int, int], many: tuple[int, int]
) -> None:
    words = np.random.Generator(np.random.Philox(few[0] + many[1]))
    planes = torch.from_numpy(words.uniform(0, 9, (3, *few))).float()
    planes[0] = 0
    found = enlarged(planes, many)
    wanted = torch.nn.functional.interpolate(planes[:, None], many, mode="bilinear")[:, 0]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert (found >= 0).all() and not found[0].any()


def test_shares_are_those_of_exact_numbers_rounded_once() -> None:
    step = Fraction(7, 224)
    rising = enlarged(torch.arange(7.0).view(1, 7, 1), (224, 1)).flatten()
    places = [min(max((Fraction(2 * n + 1, 2)) * step - Fraction(1, 2), 0), 6) for n in range(224)]
    assert rising.tolist() == [float(place) for place in places], "sixty-fourths are exact"


def test_what_inference_asked_for_first_serves_gradients_too() -> None:
    with torch.inference_mode():
        enlarged(torch.ones(1, 3, 3), (13, 17))
    planes = torch.ones(1, 3, 3, requires_grad=True)
    (slopes,) = torch.autograd.grad(enlarged(planes, (13, 17)).sum(), planes)
    assert float(slopes.sum()) == pytest.approx(13 * 17)
