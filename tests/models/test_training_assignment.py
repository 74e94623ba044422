"""What is asked of a training run, and what cannot be."""

from dataclasses import replace
from pathlib import Path

import pytest

from models import registry
from models.data.dataset import DataSet
from models.training.assignment import SCHEDULES, Unwanted
from tests.models.short_runs import SHORT


def test_the_teacher_is_part_of_the_run(
    data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"source": "guided_backprop", "teacher": "digits-tiny"}
    taught = replace(SHORT, recipe="sat", settings=settings)
    before = taught.digest(data.digest)
    other = replace(registry.card("digits-tiny"), weights="0" * 64)
    monkeypatch.setattr("models.training.assignment.card", lambda name: other)
    assert taught.digest(data.digest) != before
    assert SHORT.teacher == ""


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_rates_stay_within_the_largest(name: str) -> None:
    rates = [SCHEDULES[name]((step + 1) / 200) for step in range(200)]
    assert max(rates) == pytest.approx(1.0) and min(rates) >= 0
    assert name == "constant" or rates[-1] < 0.02


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"recipe": "magic"}, "recipe is 'magic'; it must be one of standard, noise, pgd"),
        ({"epochs": 0}, "epochs is 0; it must be positive"),
        ({"key": "xyz"}, "key is 'xyz'; it must be 32 lower-case hexadecimal digits"),
        (
            {"settings": {"radius": "3"}},
            "setting is 'radius'; it must be a parameter of pgd: bound",
        ),
        ({"settings": {"steps": "many"}}, "setting steps is 'many'; it must be int, like 10"),
        ({"schedule": "random"}, "schedule is 'random'; it must be one of constant, cosine"),
        (
            {"recipe": "spat", "settings": {"flips": "yes"}},
            "setting flips is 'yes'; it must be bool, like False",
        ),
        (
            {"recipe": "sat", "settings": {"source": "x"}},
            "sat: source is 'x'; it must be one of annotation",
        ),
        ({"recipe": "noise", "settings": {"scales": "a,b"}}, "it must be numbers, with commas"),
    ],
)
def test_what_cannot_be_trained_is_refused(change: dict[str, object], rule: str) -> None:
    with pytest.raises(Unwanted, match=rule):
        replace(SHORT, **change)  # type: ignore[arg-type]


def test_settings_are_parsed_by_their_kind() -> None:
    noise = replace(SHORT, recipe="noise", settings={"scales": "0,0.25"}).made()
    assert noise.scales == (0.0, 0.25)  # type: ignore[attr-defined]
    assert replace(SHORT, recipe="spat", settings={"flips": "true"}).made().flips is True  # type: ignore[attr-defined]
