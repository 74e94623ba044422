"""The page on batches says what was measured, and the measurement notices what it looks for."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.invariance import Seen, _row, page, see
from models.loading import Network
from models.registry import card

DOCS = Path(__file__).parents[2] / "docs"
RECORD: dict[str, Any] = json.loads((DOCS / "bench" / "invariance.json").read_text())
PAGE = (DOCS / "invariance.md").read_text()


@pytest.fixture(scope="module")
def tiny() -> Network:
    return Network(card("digits-tiny"))


def test_the_page_shows_the_record() -> None:
    assert page(RECORD) in PAGE
    assert f"torch {RECORD['versions']['torch']}" in PAGE and RECORD["device"] in PAGE
    assert "+changes" not in RECORD["commit"]


def test_what_the_page_concludes_is_in_the_record() -> None:
    rows = {(r["model"], r["precision"], r["batch"], r["against"]): r for r in RECORD["rows"]}
    for name in ("efficientnet-lite0", "mobilenet-v2"):
        apart = {key: row["scores_changed"] for key, row in rows.items() if key[0] == name}
        changed = {key for key, scores in apart.items() if scores}
        assert changed == {(name, "bfloat16", 1, "float32")}
        for key in product(
            (name,), ("float32", "bfloat16"), (8, 16, 32), ("alone", "another order")
        ):
            assert apart[key] == 0
    shares = [
        round(100 * row["votes_changed"] / row["votes"])
        for row in RECORD["rows"]
        if row["against"] == "float32"
    ]
    assert shares == [8, 7]


def test_a_changed_vote_score_and_prediction_are_each_counted(tiny: Network) -> None:
    scores = np.array([[4.0, 3, 2], [4, 3, 2], [4, 3, 2]], np.float32)
    votes = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0]], bool)
    one = Seen(scores, votes, np.array([1, 1, 1]))
    moved, voted = scores.copy(), votes.copy()
    moved[1, 2], moved[2] = 3, (0, 3, 4)
    voted[2] = (False, True, True)
    row = _row(tiny.card, "float32", 8, "alone", one, Seen(moved, voted, np.array([1, 2, 1])))
    assert (row.scores_changed, row.samples_changed, row.votes_changed) == (2, 1, 1)
    assert (row.predictions_changed, row.votes, row.largest) == (1, 6, 1.0)


def test_turning_a_batch_gives_the_samples_back_in_their_order(tiny: Network) -> None:
    generator = np.random.Generator(np.random.Philox(3))
    noisy = torch.from_numpy(generator.integers(0, 256, (16, 16, 16, 3)).astype(np.float32))
    straight = see(tiny, noisy, 3, 8)
    turned = see(tiny, noisy, 3, 8, turned=True)
    np.testing.assert_array_equal(straight.scores, turned.scores)
    assert not np.array_equal(straight.scores, straight.scores[::-1])
    lower = see(tiny.at("bfloat16"), noisy, 3, 8)
    assert not np.array_equal(lower.scores, straight.scores)
    np.testing.assert_allclose(lower.scores, straight.scores, rtol=0.5, atol=0.05)


def test_batches_are_always_full(tiny: Network) -> None:
    with pytest.raises(ValueError, match="samples is 12; it must be a multiple of 8"):
        see(tiny, torch.zeros(12, 16, 16, 3), 3, 8)
