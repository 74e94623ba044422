"""docs/training.md against what it tells of: recipes, formats, numbers."""

import json
import re
from pathlib import Path
from statistics import fmean

import pytest

from bench.training_page import (
    CLEAN,
    COST,
    OVERLAP,
    PGD,
    Record,
    claims,
    findings,
    measured,
    raised,
    settings,
    table,
)
from models.data.formats import FORMATS
from models.examination.report import numbers
from models.training.recipes import RECIPES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
BENCH = ROOT / "docs" / "bench"
EXPERIMENTS = {
    "Fashion-MNIST": "training-fashion-modest",
    "Fashion-MNIST, attributional recipes": "training-fashion-paths",
    "chest X-rays": "training-chests",
}


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, without its own."""
    part = PAGE.split(heading, 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", part, re.MULTILINE)
    assert lines is not None
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines[0].strip().split("\n")[2:]
    ]


def named(cells: list[list[str]]) -> set[str]:
    return {name for row in cells for name in re.findall(r"`([^`]+)`", row[0])}


def test_page_tells_of_every_recipe_and_format() -> None:
    assert named(rows("## Recipes")) == set(RECIPES)
    assert named(rows("Data are `FORMAT:FOLDER`")) == set(FORMATS)
    assert "fourteen recipes" in PAGE and len(RECIPES) == 14


@pytest.fixture(scope="module")
def digits() -> dict[str, tuple[float, float]]:
    found = {}
    for file, suffix in (
        ("training-digits-maps", ""),
        ("training-digits-pgd-16", " at 16"),
        ("training-digits-pgd-32", " at 32"),
    ):
        pair = json.loads((BENCH / f"{file}.json").read_text())["examinations"]
        assert [each["model"] for each in pair] == ["digits-robust", "digits-tiny"]
        ours, theirs = (dict(numbers(each)) for each in pair)
        found |= {name + suffix: (ours[name], theirs[name]) for name in ours}
    return found


def test_numbers_are_those_that_were_measured(digits: dict[str, tuple[float, float]]) -> None:
    table = rows("## digits-robust beside digits-tiny")
    assert len(table) > 8
    for name, ours, theirs in table:
        assert (ours, theirs) == tuple(f"{value:.3f}" for value in digits[name]), name


def test_what_is_read_from_the_numbers_holds(digits: dict[str, tuple[float, float]]) -> None:
    """Predictions and integrated gradients hold better; gradient and certified overlap do not."""
    assert digits["accuracy after PGD at 32"][0] > digits["accuracy after PGD at 32"][1] + 0.2
    for aim in ("top_k", "mass_centre", "target"):
        for measure in ("top_k", "kendall", "cosine"):
            ours, theirs = digits[f"integrated_gradients, {aim}: {measure}"]
            assert ours > theirs
        ours, theirs = digits[f"gradient, {aim}: top_k"]
        assert ours < theirs
    for radius in ("0.05", "0.1", "0.25"):
        ours, theirs = digits[f"certified overlap at {radius}"]
        assert ours <= theirs


def test_weights_are_those_that_ship() -> None:
    card = (ROOT / "examples" / "models" / "digits-robust.toml").read_text()
    for path in BENCH.glob("training-digits-*.json"):
        ours = json.loads(path.read_text())["examinations"][0]
        assert ours["weights"] in card


@pytest.fixture(scope="module")
def experiments() -> dict[str, Record]:
    return {
        title: json.loads((BENCH / f"{file}.json").read_text())
        for title, file in EXPERIMENTS.items()
    }


def test_tables_of_the_experiment_are_those_that_were_measured(
    experiments: dict[str, Record],
) -> None:
    assert settings(experiments) in PAGE
    for record in experiments.values():
        for part in (table(record), claims(findings(record)), raised(record)):
            assert part in PAGE


def test_records_of_the_experiment_name_data_not_machines(experiments: dict[str, Record]) -> None:
    known = {"fashion-mnist", "chests"}
    for record in experiments.values():
        assert {unit["assignment"]["data"] for unit in record["units"]} <= known
        assert "/tmp" not in json.dumps(record) and "home" not in json.dumps(record)


def mean(record: Record, arm: str, measure: str) -> float:
    return fmean(each[measure] for each in measured(record)[arm].values())


def last(record: Record, arm: str, name: str) -> float:
    return fmean(unit["history"][-1][name] for unit in record["units"] if unit["arm"] == arm)


def test_verdicts_told_are_those_of_the_rule(experiments: dict[str, Record]) -> None:
    """SAT against random signs at ε/8 is refuted throughout; the rest is not decided, but for SPAT
    against half the bound."""
    decided = {
        each.claim.words: each.verdict
        for record in experiments.values()
        for each in findings(record)
        if not each.verdict.startswith("not decided") and each.claim.measure != CLEAN
    }
    assert decided == {
        "SAT (teacher) beats random signs under PGD at ε/8": "refuted",
        "SAT (teacher) beats random signs under PGD at ε/4": "refuted",
        "SAT (masks) beats random signs under PGD at ε/8": "refuted",
        "SPAT withstands PGD better than PGD training at half the bound": "confirmed",
    }


def test_numbers_told_of_the_experiment_hold(experiments: dict[str, Record]) -> None:
    fashion, paths, chests = experiments.values()
    assert f"{last(chests, 'sat-guided', 'loss'):.3f}" == "0.007"
    for arm, measure, told in (
        ("sat-guided", CLEAN, "0.644"),
        ("sat-noise", CLEAN, "0.927"),
        ("standard", OVERLAP, "0.000"),
        ("pgd", OVERLAP, "0.624"),
        ("sat-pgd", OVERLAP, "0.576"),
        ("noise", OVERLAP, "0.435"),
    ):
        assert f"{mean(chests, arm, measure):.3f}" == told and told in PAGE
    assert f"{last(fashion, 'spat', 'reassured'):.2f}" == "0.16"
    assert abs(last(paths, "cacr-wacr", "cacr")) < 1e-6
    costs = [mean(paths, arm, COST) / mean(paths, "pgd", COST) for arm in ("ig-norm", "cacr-wacr")]
    assert [round(cost) for cost in costs] == [5, 13]
    known = measured(fashion)
    ahead = [
        known[arm][seed][OVERLAP] - known["standard"][seed][OVERLAP]
        for arm in ("pgd", "spat", "noise")
        for seed in known[arm]
    ]
    assert (f"{min(ahead):.2f}", f"{max(ahead):.2f}") == ("0.12", "0.20")
    combined = [
        difference
        for record in (fashion, chests)
        for each in findings(record)
        if each.claim.measure == PGD and each.claim.arm.startswith("sat-")
        for difference in each.differences
    ]
    assert f"{max(map(abs, combined)):.3f}" == "0.032"


def test_standard_networks_call_noisy_chests_the_same(experiments: dict[str, Record]) -> None:
    units = [u for u in experiments["chest X-rays"]["units"] if u["arm"] == "standard"]
    assert all(u["examination"]["certified"]["accuracy"][0] == 0.5 for u in units)


def test_autoattack_leaves_what_pgd_leaves(experiments: dict[str, Record]) -> None:
    (made,) = json.loads((BENCH / "training-autoattack.json").read_text())["examinations"]
    first = next(u for u in experiments["Fashion-MNIST"]["units"] if u["arm"] == "pgd")
    assert made["weights"] == first["examination"]["weights"]
    assert made["autoattack"] == made["pgd"] == {"pictures": 16, "accuracy": 9 / 16}
