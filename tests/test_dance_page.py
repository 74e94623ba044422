"""The page about DANCE shows the numbers that were measured."""

import json

from bench.decoys_page import CERTIFIED, COST, PAGE, filled
from models.decoys.search import Search


def test_the_tables_are_written_from_the_numbers() -> None:
    page = PAGE.read_text()
    assert filled(page) == page


def test_what_the_page_says_in_words() -> None:
    page, cost = PAGE.read_text(), json.loads(COST.read_text())
    assert cost["lattice"]["decoys"] == 50 and cost["patches"]["decoys"] == 11_250
    search = cost["lattice"]["search"]
    assert Search(**search) == Search("lattice", "blocks.1"), "the defaults are what was measured"
    assert f"{Search.tolerance:g} standard deviations" in page and f"{Search.cap} grey" in page
    assert cost["lattice"]["changed_patches"] > 0.99 * 11_250, "practically every patch"
    searches = cost["patches"]["searches"] * cost["patches"]["seconds_of_a_search"]
    assert searches < 0.1 * cost["patches"]["seconds"], "the search is a small part"
    rows = json.loads(CERTIFIED.read_text())["rows"]
    assert len({(row["model"], row["attribution"]) for row in rows}) == 4
