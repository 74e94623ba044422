"""The picture of an examination: every number drawn is one that was measured."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes

from models.attacks.plain import Strength
from models.data.formats import load
from models.examination.predictions import Pgd
from models.examination.report import PARTIAL, Paper, examine
from models.loading import Network
from models.registry import card
from service.drawing.evaluation_picture import Unmeasured, left_of_maps, picture

DIGITS = f"digits:{Path(__file__).parents[2] / 'examples' / 'digits'}"
PAPER = Paper(
    clean=20,
    attacked=20,
    explained=1,
    certified=1,
    samples=100,
    pgd=Pgd(48, 12, 3, 1),
    strength=Strength(steps=1, restarts=1),
    transferred=False,
    curve=True,
)


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return examine(Network(card("digits-tiny")), load(DIGITS), PAPER)


def titles(places: list[Axes]) -> list[str]:
    return [place.get_title() for place in places if place.axison]


def drawn(place: Axes) -> list[list[float]]:
    return [list(map(float, values)) for values in place.lines[0].get_data()]


def test_curves_are_what_was_measured(measured: dict[str, Any]) -> None:
    curve = measured["pgd"]["curve"]
    assert curve["bounds"] == [0.0, *(48 * share for share in PARTIAL), 48]
    assert curve["accuracy"][-1] == measured["pgd"]["accuracy"] < curve["accuracy"][0]
    assert curve["accuracy"] == sorted(curve["accuracy"], reverse=True)
    places = picture([measured]).axes
    assert drawn(places[0]) == [curve["bounds"], curve["accuracy"]]
    certified = measured["certified"]["curve"]
    assert drawn(places[1]) == [list(certified["radii"]), list(certified["accuracy"])]
    assert drawn(places[2]) == [list(certified["radii"]), list(certified["overlap"])]


def test_a_finer_curve_passes_through_the_table(measured: dict[str, Any]) -> None:
    known, curve = measured["certified"], measured["certified"]["curve"]
    for radius, accuracy, overlap in zip(
        known["radii"], known["accuracy"], known["overlap"], strict=True
    ):
        place = curve["radii"].index(radius)
        assert (curve["accuracy"][place], curve["overlap"][place]) == (accuracy, overlap)


def test_bars_are_what_attacks_leave(measured: dict[str, Any]) -> None:
    place = picture([measured]).axes[3]
    bars = place.patches
    left = left_of_maps(measured)
    assert next(iter(left)) == "gradient, top k" and len(left) == 6
    assert [bar.get_width() for bar in bars] == [share for share, _ in left.values()]
    below, above = place.get_ylim()
    assert all(above < bar.get_y() and bar.get_y() + bar.get_height() < below for bar in bars)


def test_two_models_are_in_one_picture(measured: dict[str, Any]) -> None:
    other = {**measured, "model": "another", "autoattack": {"accuracy": 0.25}}
    places = picture([measured, other]).axes
    words = [text.get_text() for text in places[0].get_legend().get_texts()]
    assert words == ["digits-tiny", "another", "another, AutoAttack"]
    assert len(places[1].lines) == 2 and len(places[3].patches) == 12
    with pytest.raises(ValueError, match="examinations are 3; at most 2"):
        picture([measured, other, other])


def test_panels_that_nobody_asked_for_are_left_out(measured: dict[str, Any]) -> None:
    without = {name: part for name, part in measured.items() if name not in ("pgd", "maps")}
    expected = ["certified accuracy", "certified overlap of the map"]
    assert titles(picture([without]).axes) == expected
    bare = {"model": "x", "clean": measured["clean"]}
    with pytest.raises(Unmeasured, match="nothing was measured that can be drawn"):
        picture([bare])


def test_without_a_curve_pgd_tries_one_bound(measured: dict[str, Any]) -> None:
    paper = replace(PAPER, curve=False, explained=0, certified=0)
    made = examine(Network(card("digits-tiny")), load(DIGITS), paper)
    assert made["pgd"] == {name: measured["pgd"][name] for name in ("pictures", "accuracy")}
