"""docs/training.md against what it tells of: recipes, formats, numbers."""

import json
import re
from pathlib import Path

import pytest

from models.data.formats import FORMATS
from models.examination.report import numbers
from models.training.recipes import RECIPES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
BENCH = ROOT / "docs" / "bench"


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
def measured() -> dict[str, tuple[float, float]]:
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


def test_numbers_are_those_that_were_measured(measured: dict[str, tuple[float, float]]) -> None:
    table = rows("## digits-robust beside digits-tiny")
    assert len(table) > 8
    for name, ours, theirs in table:
        assert (ours, theirs) == tuple(f"{value:.3f}" for value in measured[name]), name


def test_what_is_read_from_the_numbers_holds(measured: dict[str, tuple[float, float]]) -> None:
    """Predictions and integrated gradients hold better; gradient and certified overlap do not."""
    assert measured["accuracy after PGD at 32"][0] > measured["accuracy after PGD at 32"][1] + 0.2
    for aim in ("top_k", "mass_centre", "target"):
        for measure in ("top_k", "kendall", "cosine"):
            ours, theirs = measured[f"integrated_gradients, {aim}: {measure}"]
            assert ours > theirs
        ours, theirs = measured[f"gradient, {aim}: top_k"]
        assert ours < theirs
    for radius in ("0.05", "0.1", "0.25"):
        ours, theirs = measured[f"certified overlap at {radius}"]
        assert ours <= theirs


def test_weights_are_those_that_ship() -> None:
    card = (ROOT / "examples" / "models" / "digits-robust.toml").read_text()
    for path in BENCH.glob("training-digits-*.json"):
        ours = json.loads(path.read_text())["examinations"][0]
        assert ours["weights"] in card
