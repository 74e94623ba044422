"""Tables and verdicts of the training experiment, by hand."""

from typing import Any

import pytest

from bench.training_arms import ARMS
from bench.training_page import (
    CLAIMS,
    EIGHTH,
    LINE,
    MORE,
    PGD,
    Claim,
    Finding,
    claims,
    findings,
    pictures,
    raised,
    spread,
    table,
)


def unit(arm: str, seed: str, clean: float, attacked: float) -> dict[str, Any]:
    means = {"top_k": 0.5, "kendall": 0.25, "cosine": 1.0, "sensitivity": 1.0}
    return {
        "arm": arm,
        "seed": seed,
        "cost": 12.4,
        "weaker": [
            {"share": 0.125, "pictures": 300, "accuracy": 0.7},
            {"share": 0.25, "accuracy": attacked},
        ],
        "examination": {
            "clean": {"accuracy": clean, "pictures": 2000},
            "pgd": {"accuracy": attacked, "pictures": 500},
            "maps": {
                "pictures": 12,
                "gradient": {"top_k": means},
                "integrated_gradients": {"top_k": means},
            },
            "certified": {
                "pictures": 100,
                "radius": 0.4,
                "radii": [0.1, 0.25],
                "accuracy": [0.9, 0.8],
                "overlap": [0.7, 0.6],
            },
        },
    }


def test_claims_are_of_arms_that_there_are() -> None:
    assert {name for claim in CLAIMS for name in (claim.arm, claim.control)} | set(LINE) <= set(
        ARMS
    )


@pytest.mark.parametrize(
    ("differences", "pictures", "verdict"),
    [
        ((0.1,), 400, "not decided (one seed)"),
        ((0.1, 0.12), 400, "confirmed"),
        ((0.1, 0.12), 80, "not decided"),  # 0.11 is below 1/√80
        ((-0.1, -0.12, -0.08), 400, "refuted"),
        ((0.1, -0.01, 0.1), 400, "not decided"),  # one seed disagrees
        ((0.01, 0.2), 400, "not decided"),  # 0.105 is not two errors of 0.095 away from 0
    ],
)
def test_verdicts(differences: tuple[float, ...], pictures: int, verdict: str) -> None:
    assert Finding(CLAIMS[0], differences, pictures).verdict == verdict


@pytest.mark.parametrize(
    ("measure", "count"),
    [
        ("clean accuracy", 2000),
        (PGD, 500),
        (EIGHTH, 300),
        ("integrated_gradients, top_k: kendall", 12),
        ("certified overlap at 0.1", 100),
    ],
)
def test_each_measure_knows_its_pictures(measure: str, count: int) -> None:
    assert pictures({"units": [unit("pgd", "1", 0.9, 0.5)]}, measure) == count


def test_what_was_asked_of_more_pictures_counts_instead() -> None:
    """In a column where all arms have it, in a claim where those two have it."""
    units = [unit(arm, "1", 0.9, 0.5) for arm in ("standard", "noise", "pgd")]
    for each, overlap in zip(units[:2], (0.2, 0.5), strict=True):
        few = each["examination"]["certified"]
        each["certified"] = few | {"pictures": 640, "overlap": [overlap, 0.1]}
        each["pgd"] = {"pictures": 5000, "accuracy": 0.25}
    assert pictures({"units": units}, "certified overlap at 0.1" + MORE) == 640
    assert pictures({"units": units}, PGD + MORE) == 5000
    assert "| 0.500 | 0.250 |" in table({"units": units[:2]})
    assert "| 0.500 | 0.500 |" in table({"units": units})
    assert "| `noise` | +0.300 | +0.300 |" in raised({"units": units})
    assert "| `pgd` | +0.000 | +0.000 |" in raised({"units": units})


def test_maps_of_more_pictures_decide_a_claim_where_both_arms_have_them() -> None:
    units = [unit(arm, "1", 0.9, 0.5) for arm in ("cacr-wacr", "ig-sum-norm", "pgd")]
    for each, kept in zip(units[:2], (0.75, 0.5), strict=True):
        means = {"top_k": kept, "kendall": 0.5}
        each["maps"] = {"pictures": 200, "k": 78, "integrated_gradients": {"top_k": means}}
    found = {each.claim.words: each for each in findings({"units": units})}
    ours = found["CACR + WACR keep more of IG's top k"]
    assert (ours.differences, ours.pictures) == ((0.25,), 200)
    few = found["IG-SUM-NORM keeps more of IG's top k than PGD training"]
    assert (few.differences, few.pictures) == ((0.0,), 12)


def test_without_standard_training_nothing_is_compared_with_it() -> None:
    assert raised({"units": [unit("pgd", "1", 0.9, 0.5)]}).count("\n") == 2


def test_differences_are_paired_by_seed() -> None:
    seeds = (("1", 0.5, 0.4), ("2", 0.7, 0.55))
    units = [unit("sat-guided", seed, 0.9, ours) for seed, ours, _ in seeds]
    units += [unit("sat-noise", seed, 0.9, theirs) for seed, _, theirs in reversed(seeds)]
    units.append(unit("sat-noise", "3", 0.9, 0.0))  # a seed of one arm alone is left out
    _, first, clean = findings({"units": units})
    assert first.differences == pytest.approx((0.1, 0.15)) and first.verdict == "confirmed"
    assert (clean.claim.measure, clean.differences) == ("clean accuracy", (0, 0))
    assert "| +0.125 | +0.100, +0.150 | confirmed |" in claims([first])


def test_equal_clean_accuracy_is_interpolated() -> None:
    """Between 0.8 clean, 0.5 attacked and 0.9 clean, 0.2 attacked, 0.85 clean has 0.35."""
    units = [
        unit("pgd", "1", 0.8, 0.5),
        unit("pgd-half", "1", 0.9, 0.2),
        unit("standard", "1", 0.95, 0.0),
        unit("spat", "1", 0.85, 0.4),
    ]
    found = {each.claim: each for each in findings({"units": units})}
    claim = next(claim for claim in CLAIMS if claim.line)
    assert claim == Claim(claim.words, "spat", "pgd", PGD, line=True)
    assert found[claim].differences == pytest.approx((0.05,))


def test_rows_have_mean_and_spread() -> None:
    units = [unit("pgd", "1", 0.8, 0.5), unit("pgd", "2", 0.9, 0.5), unit("art", "1", 0.7, 0.1)]
    rows = table({"units": units}).splitlines()[2:]
    assert rows[0].startswith("| `pgd` | 2 | 0.850 ± 0.071 | 0.700 ± 0.000 | 0.500 ± 0.000 |")
    assert rows[1].startswith("| `art` | 1 | 0.700 | 0.700 | 0.100 | 0.100 |") and rows[1].endswith(
        "| 12 |"
    )
    assert spread([10.4, 12.6], 0) == "12 ± 2"


def test_overlap_is_compared_with_standard_training() -> None:
    units = [unit("standard", "1", 0.9, 0.0), unit("standard", "2", 0.9, 0.0)]
    for seed, overlap in (("1", 0.8), ("2", 0.82), ("3", 0.1)):
        made = unit("noise", seed, 0.9, 0.0) | {"cost": 24.8}
        made["examination"]["certified"]["overlap"] = [overlap, 0.0]
        units.append(made)
    row = raised({"units": units}).splitlines()[-1]
    assert row == "| `noise` | +0.110 | +0.100, +0.120 | confirmed | × 2.0 |"
