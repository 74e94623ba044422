"""The experiment in miniature: two arms and their teacher, cut and resumed, on real digits."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from bench.training import DIGITS, Experiment, shuffled, summary, table
from bench.training_arms import ARMS, MINIATURE, SEEDS, SETTINGS
from models import registry
from models.data.dataset import DataSet, Split
from models.data.formats import load
from models.training import loop
from models.training.recipes import RECIPES


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load(DIGITS)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("AFFIDAVIT_MODELS", "")
    yield
    torch.set_num_threads(before)
    registry.cards.cache_clear()


def test_miniature_trains_examines_and_resumes(
    data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = Experiment(DIGITS, data, MINIATURE, tmp_path, "cpu", False)
    quiet = Console(quiet=True)
    units = experiment.run(["pgd", "sat-guided"], SEEDS[:1], quiet)
    assert [unit["arm"] for unit in units] == ["standard", "pgd", "sat-guided"]
    assert units[2]["assignment"]["settings"]["teacher"] == "digits-standard-11"
    for unit in units:
        assert unit["examination"]["clean"]["accuracy"] > 0.5
        assert unit["examination"]["certified"]["samples"] == 100

    monkeypatch.setattr(loop.Run, "train", None)  # nothing is trained a second time
    again = experiment.run(["pgd", "sat-guided"], SEEDS[:1], quiet)
    assert json.loads(json.dumps(units)) == again
    assert experiment.finished(["pgd", "trades"], SEEDS) == [again[1]]
    found = summary(again)
    assert list(found) == ["standard", "pgd", "sat-guided"]
    assert found["pgd"]["clean accuracy"] == (units[1]["examination"]["clean"]["accuracy"], 0.0)
    assert table(found).row_count == len(found["pgd"])


@pytest.mark.parametrize("setting", list(SETTINGS))
def test_every_arm_is_a_training_run(setting: str, data: DataSet, tmp_path: Path) -> None:
    asked = SETTINGS[setting]
    experiment = Experiment(DIGITS, data, asked, tmp_path, "cpu", False)
    for name, arm in ARMS.items():
        assignment = experiment.assignment(name, SEEDS[0])
        assert arm.control in ARMS
        if arm.bounded:
            made = assignment.made()
            assert made.bound == arm.share * asked.bound  # type: ignore[attr-defined]


def test_masks_are_asked_for_only_where_there_are_any(data: DataSet, tmp_path: Path) -> None:
    experiment = Experiment(DIGITS, data, MINIATURE, tmp_path, "cpu", False)
    assert [name for name in ARMS if not experiment.possible(name)] == [
        "sat-masks",
        "sat-masks-pgd",
    ]


def test_every_recipe_has_an_arm() -> None:
    assert {arm.recipe for arm in ARMS.values()} == set(RECIPES)


def test_spread_is_over_seeds() -> None:
    units = [
        {"arm": "pgd", "cost": seconds, "examination": {"clean": {"accuracy": accuracy}}}
        for seconds, accuracy in ((1.0, 0.5), (3.0, 0.7))
    ]
    found = summary(units)["pgd"]
    assert found["clean accuracy"] == pytest.approx((0.6, 0.02**0.5))
    assert found["seconds to train"] == pytest.approx((2.0, 2**0.5))


def test_what_comes_class_by_class_is_shuffled(data: DataSet) -> None:
    assert shuffled(data.test) is data.test
    sorted_by_class = np.argsort(data.test.labels, kind="stable")
    split = Split(data.test.pictures[sorted_by_class], data.test.labels[sorted_by_class])
    made = shuffled(split)
    assert (np.diff(made.labels) < 0).any()
    assert sorted(made.labels.tolist()) == split.labels.tolist()
    assert len(set(made.first(40).labels.tolist())) > 5
