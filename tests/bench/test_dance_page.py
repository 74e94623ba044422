"""The page about DANCE shows the numbers that were measured."""

import json
from dataclasses import asdict

from bench.decoys_page import CERTIFIED, COST, PAGE, filled
from models.decoys.search import Search


def test_the_tables_are_written_from_the_numbers() -> None:
    page = PAGE.read_text()
    assert filled(page) == page


def test_what_the_page_says_in_words() -> None:
    page, cost = PAGE.read_text(), json.loads(COST.read_text())
    assert cost["lattice"]["decoys"] == 50 and cost["patches"]["decoys"] == 11_250
    assert f"{Search.tolerance:g} standard deviations" in page and f"{Search.cap} grey" in page
    assert cost["lattice"]["changed_patches"] > 0.99 * 11_250, "practically every patch"
    assert cost["lattice"]["measured_decoys"] == 50 and cost["patches"]["measured_decoys"] >= 1350
    assert cost["lattice"]["seconds_of_finding"] > 2 * cost["lattice"]["seconds_of_maps"]
    assert cost["patches"]["seconds_of_finding"] < 0.3 * cost["patches"]["seconds"]
    alone = cost["one_by_one"]
    assert alone["measured_decoys"] >= 3 and alone["fastest"] * 11_250 < alone["seconds"]
    assert cost["speed_up"] == alone["seconds"] / cost["patches"]["seconds"] > 1
    for scheme in ("lattice", "patches"):
        search = cost[scheme]["search"]
        assert search == {**asdict(Search("lattice", "blocks.1")), "scheme": scheme}
        assert cost[scheme]["largest_distance_in_deviations"] <= search["tolerance"]
        assert cost[scheme]["largest_change"] <= search["cap"]
    assert "+changes" not in cost["commit"]
    rows = json.loads(CERTIFIED.read_text())["rows"]
    assert len({(row["model"], row["attribution"]) for row in rows}) == 4
