"""Choosing a law: by name, by the published pairing, by what it proves."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from certify.ball import NormBall
from certify.choice import choose_law, published_law, with_law
from certify.feasibility import best_radius
from certify.noise import Gaussian, GeneralizedNormal, Laplace
from certify.plan import Plan, Question

MakePlan = Callable[..., Plan]
ASKED = Question(k=8, samples=1000, failure_probability=0.001, confidence="anytime", norm="2")


def large_plan(make_plan: MakePlan) -> Plan:
    return replace(
        make_plan(64, votes=8),
        height=8,
        width=512,
        recipe=replace(make_plan(64, votes=8).recipe, cell=8),
    )


@pytest.mark.parametrize(
    ("norm", "law"),
    [
        ("1", Laplace(0.1)),
        ("1.5", Gaussian(0.1)),
        ("2", Gaussian(0.1)),
        ("2.5", GeneralizedNormal(0.1, 4)),
        ("4", GeneralizedNormal(0.1, 4)),
        ("4.5", GeneralizedNormal(0.1, 6)),
        ("inf", GeneralizedNormal(0.1, 12)),
    ],
)
def test_the_published_pairing(norm: str, law: object) -> None:
    """ln(150 528) = 11.92, so ℓ∞ at 224×224×3 is paired with shape 12."""
    assert published_law(NormBall(norm, 150_528), 0.1) == law


def test_every_picture_has_a_published_law_for_linf() -> None:
    for entries in (1, 2, 8, 784, 4096 * 4096 * 16):
        assert published_law(NormBall("inf", entries), 0.1).scale == 0.1


def test_the_published_pairing_ends_where_shapes_do() -> None:
    with pytest.raises(ValueError, match="shape is 22; it must be an even number"):
        published_law(NormBall("21", 100), 0.1)


@pytest.mark.parametrize("norm", ["1", "2", "4", "inf"])
def test_auto_proves_the_most(norm: str, make_plan: MakePlan) -> None:
    plan, asked = large_plan(make_plan), replace(ASKED, norm=norm)
    chosen = choose_law("auto", plan, asked)
    most = best_radius(with_law(plan, chosen), asked)
    assert most > 0
    laws = [Gaussian(0.25), Laplace(0.25), *(GeneralizedNormal(0.25, b) for b in range(4, 21, 2))]
    assert all(best_radius(with_law(plan, law), asked) <= most for law in laws)
    assert most >= best_radius(with_law(plan, choose_law("liu2021", plan, asked)), asked)
    assert choose_law("auto", with_law(plan, chosen), asked) == chosen


def test_auto_is_laplace_in_l1_and_gaussian_from_l2_on(make_plan: MakePlan) -> None:
    plan = large_plan(make_plan)
    assert choose_law("auto", plan, replace(ASKED, norm="1")) == Laplace(0.25)
    for norm in ("2", "4", "inf"):
        assert choose_law("auto", plan, replace(ASKED, norm=norm)) == Gaussian(0.25)


def test_a_law_by_its_own_name(make_plan: MakePlan) -> None:
    plan = large_plan(make_plan)
    assert choose_law("laplace", plan, ASKED) == Laplace(0.25)
    assert choose_law("generalized_normal", plan, ASKED) == GeneralizedNormal(0.25, 4)
    six = with_law(plan, GeneralizedNormal(0.25, 6))
    assert choose_law("generalized_normal", six, ASKED) == GeneralizedNormal(0.25, 6)
    with pytest.raises(ValueError, match=r"law is 'uniform'; it must be one of auto, liu2021"):
        choose_law("uniform", plan, ASKED)


def test_auto_is_flat_in_l1_where_votes_cannot_be_nearly_unanimous(make_plan: MakePlan) -> None:
    """Few samples bound a vote away from 1, where the flat top's quantile is the largest."""
    few = replace(ASKED, norm="1", samples=40)
    chosen = choose_law("auto", large_plan(make_plan), few)
    assert isinstance(chosen, GeneralizedNormal)
    assert best_radius(with_law(large_plan(make_plan), chosen), few) > 0
