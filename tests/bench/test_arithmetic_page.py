"""The arithmetic's cost: the page is what the record says, and the record keeps the promise."""

import json

from bench import arithmetic, arithmetic_page
from bench.provenance import ROOT

RECORD = json.loads((ROOT / "docs" / "bench" / "arithmetic.json").read_text())


def test_the_page_is_written_from_the_numbers() -> None:
    assert (ROOT / "docs" / "arithmetic.md").read_text() == arithmetic_page.page(RECORD)


def test_every_law_and_confidence_was_measured_and_keeps_the_promise() -> None:
    rows = RECORD["rows"]
    measured = {(r["features"], r["law"], r["shape"], r["confidence"]) for r in rows}
    assert measured == {
        (features, law, shape, confidence)
        for features in arithmetic.PROMISED
        for law, shape in arithmetic.LAWS
        for confidence in arithmetic.CONFIDENCES
    }
    assert RECORD["samples"] == 10_000
    for row in rows:
        assert row["seconds"] < arithmetic.PROMISED[row["features"]], row
