"""docs/training.md against what it tells of: recipes, formats, numbers."""

import json
import re
from pathlib import Path
from statistics import fmean

import pytest

from bench.training_page import (
    CLEAN,
    COST,
    EIGHTH,
    IG_ORDER,
    IG_TOP,
    MORE,
    OVERLAP,
    PGD,
    QUARTER,
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

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
BENCH = ROOT / "docs" / "bench"
EXPERIMENTS = {
    "Fashion-MNIST": "training-fashion-modest",
    "Fashion-MNIST, attributional recipes": "training-fashion-paths",
    "CIFAR-10": "training-cifar-modest",
    "chest X-rays": "training-chests",
}
HEAVY = "training-fashion-heavy"


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
    found: dict[str, tuple[float, float]] = {}
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
    known = {"fashion-mnist", "cifar10", "chests"}
    for record in experiments.values():
        assert {unit["assignment"]["data"] for unit in record["units"]} <= known
        assert "/tmp" not in json.dumps(record) and "home" not in json.dumps(record)


def mean(record: Record, arm: str, measure: str) -> float:
    return fmean(each[measure] for each in measured(record)[arm].values())


def last(record: Record, arm: str, name: str) -> float:
    return fmean(unit["history"][-1][name] for unit in record["units"] if unit["arm"] == arm)


def test_verdicts_told_are_those_of_the_rule(experiments: dict[str, Record]) -> None:
    """What the text calls decided, experiment by experiment; all else it calls undecided."""
    decided = {
        title: {
            (each.claim.arm, each.claim.measure): each.verdict
            for each in findings(record)
            if each.claim.control != "pgd-half" and not each.verdict.startswith("not decided")
        }
        for title, record in experiments.items()
    }
    teacher = {("sat-guided", each): "refuted" for each in (EIGHTH, QUARTER, CLEAN)}
    assert decided == {
        "Fashion-MNIST": teacher
        | {("sat-gradcam", QUARTER): "refuted", ("sat-gradcam", CLEAN): "confirmed"},
        "Fashion-MNIST, attributional recipes": {},
        "CIFAR-10": {
            ("sat-guided", CLEAN): "refuted",
            ("sat-pgd", PGD): "refuted",
            ("sat-pgd", CLEAN): "confirmed",
        },
        "chest X-rays": teacher
        | {("sat-smoothgrad", each): "refuted" for each in (EIGHTH, QUARTER, CLEAN)}
        | {("sat-gradcam", each): "refuted" for each in (EIGHTH, QUARTER)}
        | {("sat-masks", EIGHTH): "refuted"},
    }


def differences(record: Record, arm: str, measure: str, line: bool = False) -> tuple[float, ...]:
    """By seed, against the first control that the page names."""
    found = (
        each.differences
        for each in findings(record)
        if (each.claim.arm, each.claim.measure, each.claim.line) == (arm, measure, line)
    )
    return next(found)


def test_every_seed_was_run(experiments: dict[str, Record]) -> None:
    for record in experiments.values():
        counts = {arm: len(seeds) for arm, seeds in measured(record).items()}
        assert {arm for arm, count in counts.items() if count != 3} <= {"sat-smoothgrad"}
    units = [unit for record in experiments.values() for unit in record["units"]]
    assert f"{len(units)} networks" in PAGE
    minutes = [round(sum(unit[name] for unit in units) / 60) for name in ("cost", "examining")]
    assert minutes == [43, 28]


def test_numbers_told_of_sat_and_spat_hold(experiments: dict[str, Record]) -> None:
    fashion, _, cifar, chests = experiments.values()
    assert f"{last(chests, 'sat-guided', 'loss'):.3f}" == "0.009"
    assert f"{last(chests, 'sat-noise', 'loss'):.3f}" == "0.070"
    assert f"{mean(chests, 'sat-guided', CLEAN):.3f}" == "0.628"
    assert f"{mean(chests, 'sat-noise', CLEAN):.3f}" == "0.923"
    for record in (fashion, cifar, chests):
        assert max(differences(record, "sat-guided", EIGHTH)) < 0
        assert (
            max(differences(record, "sat-pgd", PGD))
            < 0
            < min(differences(record, "sat-pgd", CLEAN))
        )
        looked_up = differences(record, "sat-pgd", PGD, line=True)
        assert min(looked_up) < 0 < max(looked_up)
    assert max(differences(cifar, "sat-trades", PGD)) < 0
    told = [fmean(differences(each, "spat", PGD, line=True)) for each in (fashion, cifar, chests)]
    assert [f"{each:+.3f}" for each in told] == ["-0.014", "+0.005", "+0.001"]
    assert f"{last(fashion, 'spat', 'reassured'):.2f}" == "0.17"
    assert max(h.get("flipped", 0) for u in cifar["units"] for h in u["history"]) < 0.0125
    both = [d for r in (fashion, cifar, chests) for d in differences(r, "spat-trades", PGD)]
    assert sum(d > 0 for d in both) == 8 and f"{max(both):.3f}" == "0.080"


def test_numbers_told_of_attributional_recipes_hold(experiments: dict[str, Record]) -> None:
    paths = experiments["Fashion-MNIST, attributional recipes"]
    assert abs(last(paths, "cacr-wacr", "cacr")) < 1e-6
    sharp = [u["history"][-1]["cacr"] for u in paths["units"] if u["arm"] == "cacr-wacr-sharp"]
    assert f"{min(sharp):.1f}" == "-5.3"
    for arm, measure, told in (
        ("cacr-wacr", IG_TOP, (-0.032, 0.001)),
        ("cacr-wacr-sharp", IG_TOP, (-0.105, -0.001)),
        ("cacr-wacr-sharp", IG_ORDER, (-0.083, -0.031)),
    ):
        seen = differences(paths, arm, measure + MORE)
        assert (round(min(seen), 3), round(max(seen), 3)) == told
    costs = [mean(paths, arm, COST) / mean(paths, "pgd", COST) for arm in ("ig-norm", "cacr-wacr")]
    assert [round(cost) for cost in costs] == [5, 13]
    heavy = json.loads((BENCH / f"{HEAVY}.json").read_text())
    for arm, kept, clean in (
        ("cacr-wacr-heavy", "0.65", "0.358"),
        ("ig-sum-norm-heavy", "0.20", "0.594"),
    ):
        assert f"{mean(heavy, arm, IG_TOP):.2f}" == kept and kept in PAGE
        assert f"{mean(heavy, arm, CLEAN) + 1e-9:.3f}" == clean and clean in PAGE


def test_numbers_told_of_certified_overlap_hold(experiments: dict[str, Record]) -> None:
    fashion, _, cifar, chests = experiments.values()
    for record, arm, measure, told in (
        (chests, "standard", OVERLAP, "0.003"),
        (chests, "pgd", OVERLAP, "0.582"),
        (chests, "noise", OVERLAP, "0.431"),
        (cifar, "standard", OVERLAP, "0.135"),
        (cifar, "pgd", OVERLAP, "0.549"),
        (cifar, "noise", OVERLAP, "0.360"),
        (cifar, "pgd", CLEAN, "0.318"),
        (cifar, "standard", CLEAN, "0.465"),
        (cifar, "noise", CLEAN, "0.224"),
        (chests, "pgd", CLEAN, "0.825"),
        (chests, "noise", CLEAN, "0.803"),
        (chests, "standard", CLEAN, "0.912"),
    ):
        assert f"{mean(record, arm, measure):.3f}" == told and told in PAGE
    rises = [
        mean(fashion, arm, OVERLAP) - mean(fashion, "standard", OVERLAP)
        for arm in ("noise", "pgd", "pgd-half", "trades", "spat", "spat-trades", "sat-pgd")
    ]
    assert (f"{min(rises):.2f}", f"{max(rises):.2f}") == ("0.09", "0.18")


def test_standard_networks_call_noisy_chests_the_same(experiments: dict[str, Record]) -> None:
    units = [u for u in experiments["chest X-rays"]["units"] if u["arm"] == "standard"]
    assert all(u["examination"]["certified"]["accuracy"][0] == 0.5 for u in units)


def test_autoattack_leaves_what_pgd_leaves(experiments: dict[str, Record]) -> None:
    (made,) = json.loads((BENCH / "training-autoattack.json").read_text())["examinations"]
    first = next(u for u in experiments["Fashion-MNIST"]["units"] if u["arm"] == "pgd")
    assert made["weights"] == first["examination"]["weights"]
    assert made["autoattack"] == made["pgd"] == {"pictures": 16, "accuracy": 9 / 16}
