"""The picture docs/bench/tradeoff.png, from tradeoff.json alone."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from bench.tradeoff_numbers import Curve, attacked, overlap, title

STYLES = {"liu2021": ":", "renyi": "--", "levine2019": "-.", "anytime": (0, (4, 1)), "best": "-"}


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
