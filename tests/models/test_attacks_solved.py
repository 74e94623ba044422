"""Attacks on plain maps reach the optimum on networks solved by hand; what is fixed stays."""

import numpy as np
import pytest
import torch

from models.attacks.maps import (
    aggregated,
    gradient,
    integrated,
    magnitudes,
)
from models.attacks.plain import Strength, Victim, attack
from models.evaluation.robustness import Attacks, aim, scores
from tests.models.solved import (
    CLEAN,
    KEY,
    Handmade,
    Linear,
    aims,
    corners,
    quadratic,
    scored,
    weights,
)


@pytest.mark.parametrize("name", ["top_k", "target"])
def test_linear_fractional_aims_reach_their_analytic_optimum(name: str) -> None:
    """Shares are a x / Σ a x: lower what should fall, raise the rest, all the way."""
    bound, wanted = 7, aims()[name]
    rising = torch.autograd.functional.jacobian(wanted, scored(CLEAN))[0] > 0
    best = CLEAN.astype(float)
    best[:, :, 0] += bound * np.where(rising.view(3, 3).numpy(), 1, -1)
    found = attack(quadratic(), CLEAN[None], [0], [wanted], bound, Strength(20, 1.0, 1), KEY)[0]
    np.testing.assert_array_equal(found.picture[:, :, 0], best[:, :, 0])
    assert found.value == pytest.approx(corners(bound, wanted), rel=1e-5)
    assert found.value > found.clean


def test_the_centre_of_mass_reaches_the_optimum_of_all_corners() -> None:
    """A convex aim of linear-fractional shares is largest at a corner; restarts find which."""
    bound, wanted = 7, aims()["mass_centre"]
    found = attack(quadratic(), CLEAN[None], [0], [wanted], bound, Strength(8, 3.0, 24), KEY)[0]
    assert found.clean == pytest.approx(0, abs=1e-9)
    assert found.value == pytest.approx(corners(bound, wanted), rel=1e-4)


def test_on_a_linear_network_the_gradient_cannot_be_moved() -> None:
    victim = Victim(Handmade(Linear(weights())), magnitudes(gradient))  # type: ignore[arg-type]
    clean = weights().numpy().max(axis=2)
    wanted = aim("top_k", clean, Attacks(k=4))
    found = attack(victim, CLEAN[None], [0], [wanted], 8, Strength(5), KEY)[0]
    assert found.value == found.clean
    np.testing.assert_array_equal(found.picture, CLEAN)


def test_on_a_linear_network_integrated_gradients_reach_the_analytic_optimum() -> None:
    """There they are w x, as if the network were quadratic with a = w."""
    victim = Victim(Handmade(Linear(weights())), magnitudes(integrated(torch.zeros(3), 2)))  # type: ignore[arg-type]
    wanted = aims()["top_k"]
    found = attack(victim, CLEAN[None], [0], [wanted], 7, Strength(20, 1.0, 1), KEY)[0]
    assert found.value == pytest.approx(corners(7, wanted), rel=1e-5)


@pytest.mark.parametrize("how", ["range", "deviation"])
def test_aggregates_of_a_linear_network_are_zero_and_cannot_be_moved(how: str) -> None:
    offsets = torch.tensor([0.0, 3.0])[:, None, None, None].expand(2, 3, 3, 3)
    network = Handmade(Linear(weights()))
    victim = Victim(network, magnitudes(aggregated(gradient, offsets, how)))  # type: ignore[arg-type]
    assert not scores(network, victim.scores, CLEAN[None], [0]).max() > 1e-14  # type: ignore[arg-type]
    found = attack(victim, CLEAN[None], [0], [aims()["top_k"]], 8, Strength(3), KEY)[0]
    assert found.value == found.clean
