"""The trade-off curve: the page is what its numbers say, and no attack is below a certificate."""

import json

import pytest

from bench import tradeoff_page
from bench.provenance import ROOT
from bench.tradeoff_numbers import overlap

RECORD = json.loads((ROOT / "docs" / "bench" / "tradeoff.json").read_text())
RADII = RECORD["radii_in_scales"]
RUNS = [(curve, run) for curve in RECORD["curves"] for run in curve["runs"]]


def test_the_page_is_written_from_the_numbers() -> None:
    assert (ROOT / "docs" / "tradeoff.md").read_text() == tradeoff_page.page(RECORD)


def test_every_picture_has_every_number_of_samples() -> None:
    for curve in RECORD["curves"]:
        pictures = {run["picture"] for run in curve["runs"]}
        found = {(run["picture"], run["samples"]) for run in curve["runs"]}
        assert found == {(p, n) for p in pictures for n in RECORD["numbers"]}


@pytest.mark.parametrize("row", ["renyi", "levine2019"])
def test_the_best_is_ahead_of_every_sound_competitor_in_the_mean(row: str) -> None:
    for curve in RECORD["curves"]:
        for number in RECORD["numbers"]:
            for place in range(len(RADII)):
                ours = overlap(curve, "best", number, place)
                assert ours >= overlap(curve, row, number, place)


def test_overlaps_fall_with_the_radius() -> None:
    for _, run in RUNS:
        for values in run["overlaps"].values():
            assert values == sorted(values, reverse=True) and 0 <= values[-1] <= values[0] <= 1


def test_no_attack_is_below_a_sound_certificate() -> None:
    """Looked at are certificates of no more samples than judge: fewer judges see less than is."""
    tried = 0
    for curve, run in RUNS:
        for radius, left in run["attacked"].items():
            if float(radius) not in RADII or run["samples"] > curve["attacks"]["judged"]:
                continue
            place, tried = RADII.index(float(radius)), tried + 1
            for row in ("best", "anytime", "renyi", "levine2019"):
                assert run["overlaps"][row][place] <= left, (run["picture"], radius, row)
    assert tried
