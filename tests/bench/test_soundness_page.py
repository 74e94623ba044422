"""Attacks on certified maps: the page is what its records say, and no claim was broken inside."""

from typing import Any

import pytest

from bench import soundness, soundness_page
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


def record(**changes: Any) -> dict[str, Any]:
    made = {"model": "digits-tiny", "attribution": "gradient", "samples": 8, "steps": 2, "draws": 4}
    rows = [{"multiple": changes.pop("multiple", 1.0), "worst": 3}]
    return made | {"restarts": 10, "claims_broken_inside": 0, "rows": rows} | changes


def test_rows_with_fewer_starts_are_added_and_say_so() -> None:
    both = soundness.together(record(), record(multiple=256.0, restarts=2))
    assert [(row["multiple"], row["starts"]) for row in both["rows"]] == [(1.0, 10), (256.0, 2)]
    again = soundness.together(both, record(multiple=64.0, restarts=5, claims_broken_inside=1))
    assert [row["starts"] for row in again["rows"]] == [10, 2, 5]
    assert again["claims_broken_inside"] == 1 and again["restarts"] == 10


def test_rows_of_another_attack_are_not_added() -> None:
    with pytest.raises(ValueError, match="steps is 3; the record to add to has 2"):
        soundness.together(record(), record(steps=3))
