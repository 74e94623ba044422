"""The page about the rate of the service is what its record says."""

import json

import pytest

from bench import served, served_page
from bench.served_page import PAGE, RECORD, alone, effort, fill, page, ratio, scaling

MEASURED = json.loads(RECORD.read_text())


def test_the_page_is_written_from_the_record() -> None:
    assert PAGE.read_text() == page(MEASURED)


def test_eight_jobs_at_once_fill_their_batches() -> None:
    assert all(fill(MEASURED, workers, "8") >= 0.9 for workers in ("1", "2"))
    maps = MEASURED["maps"]
    assert maps["fill"].keys() == {"1", "2"} and min(maps["fill"].values()) >= 0.9
    assert tuple(maps["samples"]) == served.MAPS and alone(served.MAPS) < 0.9


def test_ratios_are_of_one_round_and_told_with_their_spread() -> None:
    def leg(rate: float, cpu: float) -> dict[str, float]:
        return {"rate": rate, "cpu": cpu, "fill": 1.0, "samples": [int(100 * rate)]}

    rounds = [
        {
            "1": {"bare": leg(10 * n, 0.1), "1": leg(9 * n, 0.2), "8": leg(8 * n, 0.1)},
            "2": {"bare": leg(20 * n, 0.1), "1": leg(16 * n + n * n, 0.1), "8": leg(1, 0.1)},
        }
        for n in (1, 2, 3)
    ]
    record = MEASURED | {"rounds": rounds, "usual": 1000}
    assert ratio(record, "1", "1") == (0.9, 0.9, 0.9)
    assert ratio(record, "2", "1") == pytest.approx((0.9, 0.85, 0.95))
    assert effort(record, "1", "1") == (0.5, 0.5, 0.5)
    assert scaling(record, "bare") == (2, 2, 2)
    text = page(record)
    assert "| 2 | one job | 36.0 | 0.90 (0.85 to 0.95) | 1.00 (1.00 to 1.00) | 1.000 |" in text
    assert "alone is of 900 to 5700\nsamples, of eight at once each is of 100 to 2400; " in text
    assert "Of 4 ratios to the bare network 2 reach 0.90; the least is 0.03." in text


@pytest.mark.parametrize("samples", [0, 700, 12_345])
def test_jobs_at_once_are_of_different_sizes_that_fill_no_batch(samples: int) -> None:
    jobs = served.split(samples, 8)
    assert len(set(jobs)) == 8 and all(each % 8 for each in jobs)
    assert min(jobs) >= served.FEWEST and max(jobs) <= 3.2 * min(jobs)
    assert sum(jobs) == pytest.approx(max(samples, 16 * served.FEWEST), abs=8 * 9)
    assert served.split(samples, 1) == [max(samples, served.FEWEST)]


def test_goals_and_names_are_those_of_the_measurement() -> None:
    assert {str(jobs) for jobs in served.JOBS} | {"bare"} == set(served_page.NAMES)
    assert set(MEASURED["rounds"][0]) == {str(workers) for workers in served.WORKERS}
