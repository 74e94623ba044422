"""Evidence at scale: the page is what its numbers say, and they keep what is promised."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench import scale, scale_page
from bench.synthetic import Voters

RECORD = json.loads(scale.NUMBERS.read_text())
COUNTED, VOTED = RECORD["sizes"]


def test_the_page_is_written_from_the_numbers() -> None:
    assert scale.PAGE.read_text() == scale_page.page(RECORD)


def test_a_hundred_thousand_samples_of_every_pixel_fit_into_a_gibibyte() -> None:
    assert (RECORD["samples"], COUNTED["features"], VOTED["features"]) == (100_000, 50_176, 4096)
    assert all(scale_page.most(size) < scale_page.LIMIT_MIB for size in RECORD["sizes"])
    assert set(COUNTED["steps"]) == set(VOTED["steps"]) == set(scale.STEPS)


@pytest.mark.parametrize("confidence", ["anytime", "fixed"])
def test_the_arithmetic_of_every_pixel_takes_seconds(confidence: str) -> None:
    spent = COUNTED["steps"][f"certify_{confidence}"]["seconds"]
    assert spent < scale_page.PROMISED_SECONDS


def test_merging_does_not_get_dearer_as_evidence_grows() -> None:
    gather, slow = (VOTED["steps"][name] for name in ("gather", "one_by_one"))
    first, _, third, last = gather["after_quarters"]
    assert last - third < 4 * first
    assert 4 * gather["seconds"] < slow["seconds"]


def test_what_a_job_keeps_is_not_many_times_its_evidence() -> None:
    for size in (COUNTED, VOTED):
        assert size["steps"]["kept"]["bytes"] < 2.5 * size["steps"]["gather"]["bytes"]


def test_the_votes_are_what_they_are_said_to_be(tmp_path: Path) -> None:
    voters, samples = Voters(16), 320
    for step in ("gather", "recounted", "digest"):
        scale.STEPS[step](voters, samples, tmp_path)
    votes = voters.votes(0, samples)
    assert (votes.sum(axis=1) == voters.plan.recipe.votes).all()
    np.testing.assert_array_equal(votes[100:130], Voters(16).votes(100, 130))
    grid = votes.astype(float).reshape(samples, 16, 16)
    beside = np.corrcoef(grid[:, 8, 8], grid[:, 8, 9])[0, 1]
    assert beside > 0.1
