"""What a sampler does not draw: plans about something else, ranges and classes that are none."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from certify.plan import Plan
from models.sampling import Sampler


@pytest.mark.parametrize("target", [-1, 10])
def test_look_refuses_a_class_that_is_not_there(
    sampler: Sampler, digit: NDArray[np.uint8], target: int
) -> None:
    with pytest.raises(ValueError, match=f"target is {target}; it must be a class index below 10"):
        sampler.look(digit, target)


def other_recipe(**changes: object) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, recipe=replace(plan.recipe, **changes))  # type: ignore[arg-type]


def other(**changes: object) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other(image="0" * 64), "image digest is 0000"),
        (other(weights="0" * 64), "weights is 0000"),
        (other(model="mobilenet-v2"), "model is mobilenet-v2"),
        (other(height=32), r"image size is \(32, 16, 3\)"),
        (other(channels=1), r"image size is \(16, 16, 1\)"),
        (other(target=10), "target is 10"),
        (other_recipe(lanes=31), "lanes is 31; it must be one of 1, 8, 16, 32, 64, 128, 256"),
        (
            other_recipe(precision="bfloat16", attribution="lrp"),
            "precision is bfloat16; it must be float32 for lrp",
        ),
    ],
)
def test_a_plan_about_something_else_is_refused(
    sampler: Sampler,
    plan: Plan,
    digit: NDArray[np.uint8],
    change: Callable[[Plan], Plan],
    message: str,
) -> None:
    for work in (sampler.draw, sampler.average):
        with pytest.raises(ValueError, match=message):
            work(change(plan), digit, 0, 1)


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 2**63)])
def test_a_range_that_is_none_is_refused(
    sampler: Sampler, plan: Plan, digit: NDArray[np.uint8], start: int, stop: int
) -> None:
    with pytest.raises(ValueError, match="0 ≤ start ≤ stop"):
        sampler.draw(plan, digit, start, stop)


def test_a_picture_of_another_kind_is_refused(sampler: Sampler, plan: Plan) -> None:
    with pytest.raises(ValueError, match=r"image is float32 \(16, 16, 3\)"):
        sampler.draw(plan, np.zeros((16, 16, 3), np.float32), 0, 1)  # type: ignore[arg-type]
