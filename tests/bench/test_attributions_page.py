"""The page on base attributions is its numbers, and the numbers are what the code computes."""

import json
from pathlib import Path

import pytest
import torch
from rich.console import Console

from bench import attributions as bench
from bench.attributions_page import SMOOTH, Mean, means, page
from models.attribution.methods import METHODS
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

RECORD = json.loads(bench.NUMBERS.read_text())


def test_the_page_is_written_from_the_numbers() -> None:
    assert bench.PAGE.read_text() == page(RECORD)
    assert "+changes" not in RECORD["commit"]
    assert bench.PICTURE.read_bytes().startswith(b"\x89PNG")


def test_every_name_is_explained() -> None:
    text = bench.PAGE.read_text()
    assert all(f"| `{name}` | {METHODS[name].title}" in text for name in METHODS)


def test_tables_are_whole() -> None:
    for given in RECORD["tables"]:
        rows = [(row["attribution"], row["picture"]) for row in given["rows"]]
        names = dict.fromkeys(name for name, _ in rows)
        assert rows == [(name, picture) for name in names for picture in given["pictures"]]
        asked = bench._attributions(bench.Table(**{k: v for k, v in given.items() if k != "rows"}))
        assert set(names) <= set(asked) and {"gradient", "grad_cam", "lrp"} & set(asked) <= set(
            names
        )


@pytest.mark.parametrize("name", ["gradient", "lrp"])
def test_a_row_of_digits_is_computed_anew(name: str, tmp_path: Path) -> None:
    given = RECORD["tables"][0]
    table = bench.Table("digits-tiny", given["folder"], ("3",), 1000, 1000)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        sampler = Sampler(Network(card("digits-tiny")))
        ((image, plan),) = bench._subjects(sampler, table)
        plan = bench._about(plan, name)
        bench._draw(sampler, plan, image, 1000, tmp_path, Console(quiet=True))
        row = bench._row(sampler, plan, image, "3", bench._kept(plan, tmp_path), table)
    finally:
        torch.set_num_threads(before)
    (kept,) = (r for r in given["rows"] if (r["attribution"], r["picture"]) == (name, "3"))
    assert row.overlap == kept["overlap"] and row.shares == kept["shares"]
    assert (row.important, row.unimportant) == (kept["important"], kept["unimportant"])
    assert (row.other_class, row.left) == (kept["other_class"], kept["left"])


def price_of(table: dict[str, Mean], name: str) -> float:
    return table[name].seconds / table["gradient"].seconds


def test_what_the_page_says_in_words() -> None:
    digits, few, many, coarse = (means(table) for table in RECORD["tables"])
    overlap = {name: mean.overlap[1] for name, mean in many.items()}
    assert max(overlap, key=lambda name: overlap[name]) == "lrp"
    assert RECORD["tables"][2]["samples"] == 4 * RECORD["tables"][1]["samples"]
    price = {name: mean.seconds / many["gradient"].seconds for name, mean in many.items()}
    assert 4 < price["lrp"] < 5 and price["grad_cam"] < 0.5
    assert few["lrp"].overlap[1] > many["gradient"].overlap[1] < overlap["grad_cam"]
    assert overlap["grad_cam"] > few["lrp"].overlap[1], "most for its price"
    short = {name: mean.overlap[1] for name, mean in few.items()}
    assert short["gradient"] < short["rise"] < short["lrp"]
    assert min(few, key=lambda name: few[name].other_class) == "rise"
    assert max(short[name] for name in SMOOTH) < overlap["gradient"]
    assert min(price_of(few, name) for name in SMOOTH) > 4
    assert max(many, key=lambda name: many[name].other_class) == "guided_backprop"
    assert many["gradient"].other_class < many["grad_cam"].other_class < many["lrp"].other_class
    assert coarse["grad_cam"].overlap[1] > coarse["gradient"].overlap[1]
    assert max(many["grad_cam"].left, many["lrp"].left) < many["gradient"].left
    gap = [mean.overlap[1] for mean in digits.values()]
    assert max(gap) - min(gap) < 0.15 < overlap["lrp"] - overlap["gradient"]
