"""Attacks of training: on a linear network the optimum is known, and restarts never worsen."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from models.training.adversarial import away, divergence, losses, trades
from models.training.ascent import Ball, ascend, inside, slope, strongest
from models.training.draws import Draws, Purpose, order

SHAPE = (4, 4, 3)
DRAWS = Draws(key=7, epoch=3, batch=0, numbers=(0, 5, 9))


@pytest.fixture
def weights() -> Tensor:
    return Draws(1, 0, 0, (0, 1)).normal(Purpose.PARAMETERS, SHAPE) / 100


@pytest.fixture
def clean() -> Tensor:
    return 255 * DRAWS.uniform(Purpose.PICK, SHAPE)


def linear(weights: Tensor):  # type: ignore[no-untyped-def]
    return lambda pictures: torch.einsum("nijc,kijc->nk", pictures, weights)


@pytest.mark.parametrize("start", [0.0, 8.0])
def test_on_a_linear_network_ascent_reaches_the_corner(
    weights: Tensor, clean: Tensor, start: float
) -> None:
    labels = torch.tensor([0, 1, 0])
    network = linear(weights)
    begun = DRAWS.within(Purpose.START, SHAPE, start)
    there = ascend(losses(network, labels), clean, begun, Ball(8, 2, 8))
    # Two classes: the loss falls with the margin z_y - z_other, whose slope is constant.
    margin = torch.where(labels.view(-1, 1, 1, 1) == 0, 1, -1) * (weights[0] - weights[1])
    assert torch.equal(there, inside(clean - 8 * margin.sign(), clean, 8))


def test_trades_on_a_linear_network_reaches_a_corner_too(weights: Tensor, clean: Tensor) -> None:
    network = linear(weights)
    start = 0.255 * DRAWS.normal(Purpose.START, SHAPE)
    there = ascend(away(network, network(clean)), clean, start, Ball(8, 4, 20))
    steep = (weights[0] - weights[1]).sign()
    corners = [inside(clean + side * 8 * steep, clean, 8) for side in (1, -1)]
    for index, picture in enumerate(there):
        assert any(torch.equal(picture, corner[index]) for corner in corners)


def test_pictures_stay_in_ball_and_box(weights: Tensor, clean: Tensor) -> None:
    labels = torch.tensor([0, 1, 0])
    clean = torch.where(clean > 128, 254.0, clean.round())
    begun = DRAWS.within(Purpose.START, SHAPE, 50)
    there = ascend(losses(linear(weights), labels), clean, begun, Ball(3, 2, 4))
    assert (there - clean).abs().max() <= 3
    assert there.min() >= 0 and there.max() <= 255


def bumpy(pictures: Tensor) -> Tensor:
    return torch.sin(pictures / 3).flatten(1).sum(dim=1)


def test_more_restarts_never_give_less(clean: Tensor) -> None:
    def starts(count: int) -> Iterator[Tensor]:
        for number in range(count):
            yield Draws(7, number, 0, DRAWS.numbers).within(Purpose.START, SHAPE, 8)

    ball = Ball(8, 1, 5)
    reached = [bumpy(strongest(bumpy, clean, starts(count), ball)) for count in range(6)]
    assert torch.equal(reached[0], bumpy(clean))
    for fewer, more in pairwise(reached):
        assert (more >= fewer).all()
    assert (reached[-1] > reached[1]).any()


def test_best_picture_is_that_of_one_start_alone(clean: Tensor) -> None:
    starts = [Draws(7, e, 0, DRAWS.numbers).within(Purpose.START, SHAPE, 8) for e in range(3)]
    ball = Ball(8, 1, 5)
    alone = torch.stack([bumpy(ascend(bumpy, clean, start, ball)) for start in starts])
    best = bumpy(strongest(bumpy, clean, starts, ball))
    assert torch.allclose(best, alone.amax(dim=0).maximum(bumpy(clean)))


def test_slope_is_each_pictures_own(clean: Tensor) -> None:
    assert torch.allclose(slope(bumpy, clean), torch.cos(clean / 3) / 3)


def test_a_negative_ball_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bound is -1; it must not be negative"):
        Ball(-1, 1, 1)


def test_trades_by_hand() -> None:
    """p = (3/4, 1/4), q = (1/2, 1/2): CE = ln 4/3, KL = 3/4 ln 3/2 + 1/4 ln 1/2."""
    clean, there = torch.tensor([[3.0, 1.0]]).log(), torch.tensor([[1.0, 1.0]]).log()
    apart = 0.75 * torch.tensor(1.5).log() + 0.25 * torch.tensor(0.5).log()
    assert torch.allclose(divergence(clean, there), apart)
    expected = torch.tensor(4 / 3).log() + 6 * apart
    assert torch.allclose(trades(clean, there, torch.tensor([0]), 6), expected)


def test_draws_do_not_depend_on_the_batch() -> None:
    alone = Draws(7, 3, 4, (5,))
    assert torch.equal(alone.uniform(Purpose.PICK, SHAPE)[0], DRAWS.uniform(Purpose.PICK, SHAPE)[1])
    assert torch.equal(alone.normal(Purpose.START, SHAPE)[0], DRAWS.normal(Purpose.START, SHAPE)[1])
    assert (alone.noise(0.25, 0, SHAPE) == DRAWS.noise(0.25, 1, SHAPE)).all()


@pytest.mark.parametrize(
    "other", [Draws(8, 3, 0, (0,)), Draws(7, 4, 0, (0,)), Draws(7, 3, 0, (1,))]
)
def test_draws_depend_on_key_epoch_and_sample(other: Draws) -> None:
    ours = Draws(7, 3, 0, (0,))
    for purpose in (Purpose.PICK, Purpose.START):
        one, two = ours.uniform(purpose, SHAPE), other.uniform(purpose, SHAPE)
        assert not torch.equal(one, two)
    assert not torch.equal(ours.uniform(Purpose.PICK, SHAPE), ours.uniform(Purpose.START, SHAPE))
    assert not torch.equal(
        ours.uniform(Purpose.PICK, SHAPE), ours.uniform(Purpose.PICK, SHAPE, time=1)
    )


def test_draws_have_their_distributions() -> None:
    many = Draws(7, 0, 0, tuple(range(20)))
    uniform = many.uniform(Purpose.PICK, (32, 32, 3)).flatten()
    assert uniform.min() >= 0 and uniform.max() < 1
    assert abs(float(uniform.mean()) - 0.5) < 5 * (1 / 12 / uniform.numel()) ** 0.5
    normal = many.normal(Purpose.START, (32, 32, 3)).flatten()
    assert abs(float(normal.mean())) < 5 / uniform.numel() ** 0.5
    assert abs(float(normal.std()) - 1) < 5 / (2 * uniform.numel()) ** 0.5
    signs = many.signs(Purpose.SIGN, (32, 32, 3))
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    heads = [Draws(7, 0, batch, (0,)).coin() for batch in range(400)]
    assert 150 < sum(heads) < 250
    assert set(many.below(Purpose.LEVEL, 3, 50).ravel().tolist()) == {0, 1, 2}


def test_order_is_a_permutation_of_its_own_for_each_epoch() -> None:
    first, second = order(7, 0, 100), order(7, 1, 100)
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(100))
    assert (first != second).any() and (order(7, 0, 100) == first).all()
