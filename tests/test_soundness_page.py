"""Attacks on certified maps: the page is what its records say, and no claim was broken inside."""

import pytest

from bench import soundness_page
from bench.provenance import ROOT

RECORDS = soundness_page.records(ROOT / "docs" / "bench")
NAMES = [f"{record['model']}-{record.get('attribution')}" for record in RECORDS]


def test_the_page_is_written_from_the_records() -> None:
    assert (ROOT / "docs" / "soundness.md").read_text() == soundness_page.page(RECORDS)


@pytest.mark.parametrize("record", RECORDS, ids=NAMES)
def test_nothing_inside_is_broken_and_something_outside_is(record: soundness_page.Record) -> None:
    inside = [row for row in record["rows"] if row["multiple"] <= 1]
    outside = [row for row in record["rows"] if row["multiple"] > 1]
    assert record["claims_broken_inside"] == 0
    assert inside and all(row["worst"] >= row["certified"] > 0 for row in inside)
    assert any(row["worst"] < row["certified"] for row in outside)
    assert all(0 <= row["worst"] <= row["k"] and row["radius"] > 0 for row in record["rows"])
