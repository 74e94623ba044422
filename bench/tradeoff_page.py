"""The page docs/tradeoff.md, from tradeoff.json alone."""

from typing import Any

from bench.tradeoff_numbers import Curve, attacked, needed, overlap, pictures, spent, stays, title
from bench.tradeoff_words import WAYS, anytime, attempts, claim, in_words, point, published

ROWS = {
    "liu2021": "Liu et al. 2021, as published: **no proof**",
    "renyi": "Rényi, exact",
    "levine2019": "Levine et al. 2019, Hoeffding",
    "anytime": "best, anytime bounds",
    "best": "**best, fixed number**",
}


def page(record: dict[str, Any]) -> str:
    """The document, from its numbers alone."""
    curves = record["curves"]
    return TEXT.format(
        attempts="\n".join(point(attempts(curve)) for curve in curves),
        words="\n".join(point(in_words(record, curve)) for curve in curves),
        goals="\n".join(line for curve in curves for line in _goals(record, curve)),
        few="\n".join(_few(curve) for curve in curves if curve["attacks"]),
        published=point(published(record)),
        anytime=point(anytime(record)),
        claim=claim(record),
        tables="\n".join(_tables(record, curve) for curve in curves),
        commit=record["commit"][:12],
        device=record["device"],
    )


def _goals(record: dict[str, Any], curve: Curve) -> list[str]:
    lines = []
    for place, radius in enumerate(record["radii_in_scales"]):
        cells = []
        for name in ("best", "anytime", "levine2019", "renyi"):
            number = needed(record, curve, name, place)
            most = record["numbers"][-1]
            cells.append(
                f"more than {most}" if number is None else f"{number} ({spent(curve, number)} s)"
            )
        lines.append(f"| {title(curve)} | {radius} | {' | '.join(cells)} |")
    return lines


def _few(curve: Curve) -> str:
    radii = sorted({row["radius_in_scales"] for row in curve["attacks"]["rows"]})
    numbers = list(stays(curve, "votes", radii[0]))
    lines = [f"### {title(curve)}", ""]
    lines.append("| radius / scale | map | " + " | ".join(f"{n} samples" for n in numbers) + " |")
    lines.append("| --: | --- |" + " --: |" * len(numbers))
    for radius in radii:
        for way, name in WAYS.items():
            cells = (f"{value:.3f}" for value in stays(curve, way, radius).values())
            shown = "0, another key" if not radius else f"{radius:g}"
            lines.append(f"| {shown} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _tables(record: dict[str, Any], curve: Curve) -> str:
    numbers, parts = record["numbers"], []
    for place, radius in enumerate(record["radii_in_scales"]):
        lines = [f"### {title(curve)}, radius {radius} scales, {pictures(curve)} pictures", ""]
        lines.append("| samples | " + " | ".join(map(str, numbers)) + " |")
        lines.append("| --- |" + " --: |" * len(numbers))
        times = (spent(curve, n) for n in numbers)
        lines.append(f"| CPU seconds | {' | '.join(times)} |")
        for name, shown in ROWS.items():
            cells = (f"{overlap(curve, name, n, place):.3f}" for n in numbers)
            lines.append(f"| {shown} | {' | '.join(cells)} |")
        left = [attacked(curve, n, radius) for n in numbers]
        if None not in left:
            lines.append(f"| left by attacks | {' | '.join(f'{value:.3f}' for value in left)} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


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
