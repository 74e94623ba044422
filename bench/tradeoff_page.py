"""The page docs/tradeoff.md and its picture, from tradeoff.json alone."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

Curve = dict[str, Any]
ROWS = {
    "liu2021": "Liu et al. 2021, as published: **no proof**",
    "renyi": "Rényi, exact",
    "levine2019": "Levine et al. 2019, Hoeffding",
    "anytime": "best, anytime bounds",
    "best": "**best, fixed number**",
}
STYLES = {"liu2021": ":", "renyi": "--", "levine2019": "-.", "anytime": (0, (4, 1)), "best": "-"}
WAYS = {"votes": "votes", "sigmoid": "sigmoid points", "smoothgrad": "SmoothGrad"}
GOAL = 0.5


def page(record: dict[str, Any]) -> str:
    """The document, from its numbers alone."""
    curves = record["curves"]
    return TEXT.format(
        attempts="\n".join(_point(_attempts(curve)) for curve in curves),
        words="\n".join(_point(_words(record, curve)) for curve in curves),
        goals="\n".join(line for curve in curves for line in _goals(record, curve)),
        few="\n".join(_few(curve) for curve in curves if curve["attacks"]),
        published=_point(PUBLISHED.format(above=_above(record))),
        anytime=_point(ANYTIME.format(price=_price(record))),
        claim=textwrap.fill(CLAIM.format(verdict=_verdict(record)), 100),
        tables="\n".join(_tables(record, curve) for curve in curves),
        commit=record["commit"][:12],
        device=record["device"],
    )


def _point(text: str) -> str:
    return textwrap.fill(f"- {text}", 100, subsequent_indent="  ", break_on_hyphens=False)


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


def _spent(curve: Curve, samples: int) -> str:
    spent = seconds(curve, samples)
    return f"{spent:.0f}" if spent >= 10 else f"{spent:.2g}"


def needed(record: dict[str, Any], curve: Curve, name: str, place: int) -> int | None:
    """The fewest samples looked at with which a row certifies GOAL; None if none does."""
    enough = (n for n in record["numbers"] if overlap(curve, name, n, place) >= GOAL)
    return next(enough, None)


def few(curve: Curve, way: str, radius: float) -> dict[str, float]:
    """By the number of samples of both maps, the share of the top k that stays, averaged."""
    rows = [row for row in curve["attacks"]["rows"] if row["radius_in_scales"] == radius]
    return {n: float(np.mean([row["few"][way][n] for row in rows])) for n in rows[0]["few"][way]}


def _pictures(curve: Curve) -> int:
    return len({run["picture"] for run in curve["runs"]})


def _attempts(curve: Curve) -> str:
    found = curve["attacks"]
    if not found:
        return f"{title(curve)}: not attacked yet."
    pictures = len({row["picture"] for row in found["rows"]})
    aims = len(next(row["overlaps"] for row in found["rows"] if row["overlaps"]))
    return (
        f"{title(curve)}: {pictures} of {_pictures(curve)} pictures, {aims} attacks for each "
        f"radius of {found['steps']} steps with {found['draws']} noise draws each; each judged by "
        f"{found['tried']} samples, the worst by {found['judged']}."
    )


def _words(record: dict[str, Any], curve: Curve) -> str:
    numbers, place = record["numbers"], 1
    few_, many = (
        {name: overlap(curve, name, n, place) for name in ROWS} for n in (numbers[1], numbers[-1])
    )
    behind = sum(
        overlap(curve, "best", n, at) < overlap(curve, name, n, at)
        for n in numbers
        for at in range(len(record["radii_in_scales"]))
        for name in ("renyi", "levine2019", "anytime")
    )
    left = [attacked(curve, n, record["radii_in_scales"][place]) for n in (numbers[1], numbers[-1])]
    line = (
        f"{title(curve)}, within {record['radii_in_scales'][place]} scales: from {numbers[1]} "
        f"samples the best certifies {few_['best']:.3f}, Levine et al. {few_['levine2019']:.3f}, "
        f"exact Rényi {few_['renyi']:.3f}; from {numbers[-1]} samples {many['best']:.3f}, "
        f"{many['levine2019']:.3f} and {many['renyi']:.3f}. In the mean over pictures it is behind "
        f"a sound row in {behind} of {9 * len(numbers)} cells."
    )
    if left[0] is not None and left[1] is not None:
        line += f" Attacks left {left[0]:.3f} and {left[1]:.3f} of what was reported."
    return line


def _goals(record: dict[str, Any], curve: Curve) -> list[str]:
    lines = []
    for place, radius in enumerate(record["radii_in_scales"]):
        cells = []
        for name in ("best", "anytime", "levine2019", "renyi"):
            number = needed(record, curve, name, place)
            most = record["numbers"][-1]
            cells.append(
                f"more than {most}" if number is None else f"{number} ({_spent(curve, number)} s)"
            )
        lines.append(f"| {title(curve)} | {radius} | {' | '.join(cells)} |")
    return lines


def _few(curve: Curve) -> str:
    radii = sorted({row["radius_in_scales"] for row in curve["attacks"]["rows"]})
    numbers = list(few(curve, "votes", radii[0]))
    lines = [f"### {title(curve)}", ""]
    lines.append("| radius / scale | map | " + " | ".join(f"{n} samples" for n in numbers) + " |")
    lines.append("| --: | --- |" + " --: |" * len(numbers))
    for radius in radii:
        for way, name in WAYS.items():
            cells = (f"{value:.3f}" for value in few(curve, way, radius).values())
            shown = "0, another key" if not radius else f"{radius:g}"
            lines.append(f"| {shown} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def lost(curve: Curve, way: str) -> float:
    """The share of the top k that the strongest attack takes from maps of fewest samples."""
    radius = max(row["radius_in_scales"] for row in curve["attacks"]["rows"])
    return 1 - next(iter(few(curve, way, radius).values()))


def _panels(record: dict[str, Any]) -> list[tuple[Curve, int]]:
    return [(c, place) for c in record["curves"] for place in range(len(record["radii_in_scales"]))]


def _above(record: dict[str, Any]) -> str:
    panels, ends = _panels(record), (record["numbers"][0], record["numbers"][-1])
    above = (
        sum(overlap(c, "liu2021", n, at) > overlap(c, "best", n, at) for c, at in panels)
        for n in ends
    )
    told = (f"{a} of {len(panels)} panels at {n} samples" for a, n in zip(above, ends, strict=True))
    return " and ".join(told)


def _price(record: dict[str, Any]) -> str:
    ends = record["numbers"][1], record["numbers"][-1]
    prices = (
        np.mean(
            [overlap(c, "best", n, at) - overlap(c, "anytime", n, at) for c, at in _panels(record)]
        )
        for n in ends
    )
    return " and ".join(f"{p:.3f} at {n} samples" for p, n in zip(prices, ends, strict=True))


def _verdict(record: dict[str, Any]) -> str:
    of_attacked = [curve for curve in record["curves"] if curve["attacks"]]
    cells = [
        (overlap(curve, "renyi", n, place), overlap(curve, "levine2019", n, place))
        for curve, place in _panels(record)
        for n in record["numbers"]
    ]
    ahead = sum(ours > theirs for ours, theirs in cells)
    twice = sum(ours >= 2 * theirs > 0 for ours, theirs in cells)
    proof = (
        f"As a proof, the exact form of their argument is ahead of Levine et al.'s in {ahead} of "
        f"{len(cells)} cells of this page, and at least twice as far in {twice}."
    )
    if not of_attacked:
        return proof
    ratios = [
        lost(curve, "smoothgrad") / max(lost(curve, "sigmoid"), 0.01) for curve in of_attacked
    ]
    named = "; ".join(
        f"{title(curve)}: "
        + ", ".join(f"{lost(curve, way):.3f} of {name}" for way, name in WAYS.items())
        for curve in of_attacked
    )
    seen = "is seen here" if min(ratios) >= 2 else "is not seen here"
    return (
        f"{proof} As an experiment, the attack within the largest radius takes from maps of the "
        f"fewest samples ({named}). Half the loss, which is what twice as robust would be, {seen}."
    )


def _tables(record: dict[str, Any], curve: Curve) -> str:
    numbers, parts = record["numbers"], []
    for place, radius in enumerate(record["radii_in_scales"]):
        lines = [f"### {title(curve)}, radius {radius} scales, {_pictures(curve)} pictures", ""]
        lines.append("| samples | " + " | ".join(map(str, numbers)) + " |")
        lines.append("| --- |" + " --: |" * len(numbers))
        spent = (_spent(curve, n) for n in numbers)
        lines.append(f"| CPU seconds | {' | '.join(spent)} |")
        for name, shown in ROWS.items():
            cells = (f"{overlap(curve, name, n, place):.3f}" for n in numbers)
            lines.append(f"| {shown} | {' | '.join(cells)} |")
        left = [attacked(curve, n, radius) for n in numbers]
        if None not in left:
            lines.append(f"| left by attacks | {' | '.join(f'{value:.3f}' for value in left)} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def plot(record: dict[str, Any]) -> Figure:
    """One line of panels for each curve, one panel for each radius."""
    curves, radii = record["curves"], record["radii_in_scales"]
    size = (4 * len(radii), 3.4 * len(curves))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(curves), len(radii), sharey=True, squeeze=False)
    for line, curve in zip(axes, curves, strict=True):
        for place, axis in enumerate(line):
            _panel(axis, record, curve, place)
    axes[-1][-1].legend(fontsize="x-small")
    return figure


def _panel(axis: Any, record: dict[str, Any], curve: Curve, place: int) -> None:
    numbers: Sequence[int] = record["numbers"]
    radius, rate = record["radii_in_scales"][place], curve["samples_per_cpu_second"]
    for name, style in STYLES.items():
        label = "liu2021 (no proof)" if name == "liu2021" else name
        width = 2.5 if name == "best" else 1.2
        values = [overlap(curve, name, n, place) for n in numbers]
        axis.plot(numbers, values, linestyle=style, linewidth=width, label=label)
    left = [attacked(curve, n, radius) for n in numbers]
    if None not in left:
        axis.plot(numbers, left, "kx", markersize=5, label="left by attacks")
    axis.set(xscale="log", ylim=(0, 1.02), title=f"{title(curve)}\nradius {radius} scales")
    axis.set_xlabel("samples")
    above = axis.secondary_xaxis("top", functions=(lambda n: n / rate, lambda s: s * rate))
    above.set_xlabel("CPU seconds", fontsize="small")
    if place == 0:
        axis.set_ylabel("overlap of the top k")


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
TEXT = """# What more samples buy

A certificate gets better with samples and dearer. Here is how much, for our bounds and for others',
and what attacks found at the same radii. Gaussian noise of scale 0.25, confidence 99.9 %, radii in
ℓ2 in units of the scale; every row of a number of samples comes from the same first samples, and a
number is the mean over the pictures. `python -m bench.tradeoff --kept FOLDER --there` measures and
writes this page; every single number is in [bench/tradeoff.json](bench/tradeoff.json)
(commit {commit}, {device}). Seconds are CPU seconds of one core, at the pace measured in the same
run on a machine with other work to do.

![Overlap against samples and seconds](bench/tradeoff.png)

## In plain words

{words}
- Samples pay for confidence, not for stability. A certificate of n samples is about the map of
  infinitely many, and says what could be proven of it from n. So certified overlap rises with n,
  and what attacks leave hardly changes: that line is about the same map, and depends on n only
  through which features were reported: of few samples, some wrong ones. The gap between the two is
  what better proofs, stronger attacks or more samples might still close.
{published}
{anytime}

Samples (and CPU seconds) with which half of the top k is certified, of the numbers looked at:

| curve | radius / scale | best, fixed | best, anytime | Levine et al. | Rényi, exact |
| --- | --: | --: | --: | --: | --: |
{goals}

## Twice as robust when compute is scarce?

{claim}

The tables: both maps, of the picture and of its worst change, are made of only so many samples,
with different noise. At radius 0 the picture is the same, so all that is lost there is lost to
sampling. The worst change is the one that attacks on votes found; another map may have a worse one.

{few}
How hard the attacks tried:

{attempts}

More steps, more restarts and more pictures would find lower overlaps. An attack that finds nothing
proves nothing.

## Overlap

{tables}"""
