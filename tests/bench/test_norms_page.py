"""The page about norms is what its numbers say, and the numbers are what the code computes."""

import json

import pytest

from bench import norms
from certify.noise import LAWS

RECORD = json.loads(norms.NUMBERS.read_text())


def test_the_page_is_written_from_the_numbers() -> None:
    assert norms.PAGE.read_text() == norms.page(RECORD)


@pytest.mark.parametrize(
    "given", RECORD["rows"], ids=lambda r: f"{r['norm']}-{r['law']}-{r['shape']}"
)
def test_the_numbers_are_computed_anew(given: dict[str, object]) -> None:
    row = norms.Row(**given)  # type: ignore[arg-type]
    assert norms.row(LAWS[row.law].of(row.shape, norms.SCALE), row.norm) == row


def test_what_the_page_says_in_words() -> None:
    rows = [norms.Row(**given) for given in RECORD["rows"]]
    best = {n: max((r for r in rows if r.norm == n), key=lambda r: r.pairs[1]) for n in norms.NORMS}
    assert best["inf"].pairs[1] < 1 / 255
    assert all(best[norm].law == "gaussian" for norm in ("2", "4", "inf"))
    assert best["1"].law == "generalized_normal"
    assert max((r for r in rows if r.norm == "1"), key=lambda r: r.pairs[-1]).law == "laplace"
    for r in rows:
        if r.norm != "1":
            of_one = next(o for o in rows if (o.norm, o.law, o.shape) == ("1", r.law, r.shape))
            assert all(a <= b for a, b in zip(r.pairs, of_one.pairs, strict=True))
