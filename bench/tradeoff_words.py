"""The sentences of docs/tradeoff.md that say what its numbers come to."""

import textwrap
from typing import Any

import numpy as np

from bench.tradeoff_numbers import Curve, attacked, lost, overlap, panels, pictures, title

# Rows that are proofs, beside our best with a number of samples chosen beforehand.
SOUND = ("renyi", "levine2019", "anytime")
WAYS = {"votes": "votes", "sigmoid": "sigmoid points", "smoothgrad": "SmoothGrad"}


def point(text: str) -> str:
    """One item of a list."""
    return textwrap.fill(f"- {text}", 100, subsequent_indent="  ", break_on_hyphens=False)


def attempts(curve: Curve) -> str:
    """How hard attacks on a curve tried."""
    found = curve["attacks"]
    if not found:
        return f"{title(curve)}: not attacked yet."
    tried = len({row["picture"] for row in found["rows"]})
    aims = len(next(row["overlaps"] for row in found["rows"] if row["overlaps"]))
    return (
        f"{title(curve)}: {tried} of {pictures(curve)} pictures, {aims} attacks for each "
        f"radius of {found['steps']} steps with {found['draws']} noise draws each; each judged by "
        f"{found['tried']} samples, the worst by {found['judged']}."
    )


def in_words(record: dict[str, Any], curve: Curve) -> str:
    """What a curve comes to within the second radius."""
    numbers, radii, place = record["numbers"], record["radii_in_scales"], 1
    fewer, most = (
        {name: overlap(curve, name, n, place) for name in ("best", *SOUND)}
        for n in (numbers[1], numbers[-1])
    )
    behind = sum(
        overlap(curve, "best", n, at) < overlap(curve, name, n, at)
        for n in numbers
        for at in range(len(radii))
        for name in SOUND
    )
    left = [attacked(curve, n, radii[place]) for n in (numbers[1], numbers[-1])]
    line = (
        f"{title(curve)}, within {radii[place]} scales: from {numbers[1]} "
        f"samples the best certifies {fewer['best']:.3f}, Levine et al. {fewer['levine2019']:.3f}, "
        f"exact Rényi {fewer['renyi']:.3f}; from {numbers[-1]} samples {most['best']:.3f}, "
        f"{most['levine2019']:.3f} and {most['renyi']:.3f}. In the mean over pictures it is behind "
        f"a sound row in {behind} of {len(radii) * len(SOUND) * len(numbers)} cells."
    )
    if left[0] is not None and left[1] is not None:
        line += f" Attacks left {left[0]:.3f} and {left[1]:.3f} of what was reported."
    return line


def published(record: dict[str, Any]) -> str:
    """Where the row without a proof is above our best."""
    return PUBLISHED.format(above=_above(record))


def _above(record: dict[str, Any]) -> str:
    shown, ends = panels(record), (record["numbers"][0], record["numbers"][-1])
    above = (
        sum(overlap(c, "liu2021", n, at) > overlap(c, "best", n, at) for c, at in shown)
        for n in ends
    )
    told = (f"{a} of {len(shown)} panels at {n} samples" for a, n in zip(above, ends, strict=True))
    return " and ".join(told)


def anytime(record: dict[str, Any]) -> str:
    """What bounds at every number of samples cost."""
    return ANYTIME.format(price=_price(record))


def _price(record: dict[str, Any]) -> str:
    ends = record["numbers"][1], record["numbers"][-1]
    prices = (
        np.mean(
            [overlap(c, "best", n, at) - overlap(c, "anytime", n, at) for c, at in panels(record)]
        )
        for n in ends
    )
    return " and ".join(f"{p:.3f} at {n} samples" for p, n in zip(prices, ends, strict=True))


def claim(record: dict[str, Any]) -> str:
    """What Liu et al. say of few samples, and what is seen of it here."""
    verdict = f"{_as_a_proof(record)}{_as_an_experiment(record)}"
    return textwrap.fill(CLAIM.format(verdict=verdict), 100)


def _as_a_proof(record: dict[str, Any]) -> str:
    cells = [
        (overlap(curve, "renyi", n, place), overlap(curve, "levine2019", n, place))
        for curve, place in panels(record)
        for n in record["numbers"]
    ]
    ahead = sum(ours > theirs for ours, theirs in cells)
    twice = sum(ours >= 2 * theirs > 0 for ours, theirs in cells)
    return (
        f"As a proof, the exact form of their argument is ahead of Levine et al.'s in {ahead} of "
        f"{len(cells)} cells of this page, and at least twice as far in {twice}."
    )


def _as_an_experiment(record: dict[str, Any]) -> str:
    """Of the curves that were attacked; nothing if none was."""
    curves = [curve for curve in record["curves"] if curve["attacks"]]
    if not curves:
        return ""
    ratios = [lost(curve, "smoothgrad") / max(lost(curve, "sigmoid"), 0.01) for curve in curves]
    named = "; ".join(
        f"{title(curve)}: "
        + ", ".join(f"{lost(curve, way):.3f} of {name}" for way, name in WAYS.items())
        for curve in curves
    )
    seen = "is seen here" if min(ratios) >= 2 else "is not seen here"
    return (
        " As an experiment, the attack within the largest radius takes from maps of the "
        f"fewest samples ({named}). Half the loss, which is what twice as robust would be, {seen}."
    )


PUBLISHED = (
    "The published Rényi bound takes estimates for the truth. It is nearly flat as well, and above "
    "our best in {above}: not because it needs fewer samples, but because it does not ask how many "
    "there were."
)
ANYTIME = (
    "Bounds that hold at every number of samples at once cost {price} of overlap in the mean, and "
    "are what lets one stop at the first number that suffices."
)
CLAIM = (
    "Liu et al. (2021) say in their abstract that their maps are twice as robust as others' where "
    "only few samples can be paid for. We know that claim from the abstract alone, and have "
    "neither their code nor their scoring vector; ours is reconstructed (`certify.scores`). "
    "{verdict}"
)
