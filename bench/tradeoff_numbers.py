"""What tradeoff.json says: means over the pictures of a curve, and what they cost."""

from typing import Any

import numpy as np

Curve = dict[str, Any]
GOAL = 0.5


def title(curve: Curve) -> str:
    """What a curve is of."""
    return f"{curve['model']}, {curve['attribution']}"


def overlap(curve: Curve, name: str, samples: int, place: int) -> float:
    """Certified overlap of a row at the place-th radius, averaged over pictures."""
    found = [r["overlaps"][name][place] for r in curve["runs"] if r["samples"] == samples]
    return float(np.mean(found))


def attacked(curve: Curve, samples: int, radius: float) -> float | None:
    """What attacks left of the features reported of so many samples; None if none were made."""
    found = [
        run["attacked"][str(radius)]
        for run in curve["runs"]
        if run["samples"] == samples and str(radius) in run["attacked"]
    ]
    return float(np.mean(found)) if found else None


def seconds(curve: Curve, samples: int) -> float:
    """CPU seconds of one core that so many samples take."""
    return float(samples / curve["samples_per_cpu_second"])


def needed(record: dict[str, Any], curve: Curve, name: str, place: int) -> int | None:
    """The fewest samples looked at with which a row certifies GOAL; None if none does."""
    enough = (n for n in record["numbers"] if overlap(curve, name, n, place) >= GOAL)
    return next(enough, None)


def stays(curve: Curve, way: str, radius: float) -> dict[str, float]:
    """By the number of samples of both maps, the share of the top k that stays, averaged."""
    rows = [row for row in curve["attacks"]["rows"] if row["radius_in_scales"] == radius]
    return {n: float(np.mean([row["few"][way][n] for row in rows])) for n in rows[0]["few"][way]}


def lost(curve: Curve, way: str) -> float:
    """The share of the top k that the strongest attack takes from maps of fewest samples."""
    radius = max(row["radius_in_scales"] for row in curve["attacks"]["rows"])
    return 1 - next(iter(stays(curve, way, radius).values()))


def pictures(curve: Curve) -> int:
    """How many a curve is the mean of."""
    return len({run["picture"] for run in curve["runs"]})


def panels(record: dict[str, Any]) -> list[tuple[Curve, int]]:
    """Every curve with the place of every radius."""
    return [(c, place) for c in record["curves"] for place in range(len(record["radii_in_scales"]))]


def spent(curve: Curve, samples: int) -> str:
    """As `seconds`, as precisely as it is meant."""
    taken = seconds(curve, samples)
    return f"{taken:.0f}" if taken >= 10 else f"{taken:.2g}"
