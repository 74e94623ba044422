"""What `affidavit evaluate` measured, drawn: one picture, every model in it.

Attacks are measured in ℓ∞ grey levels, certificates in ℓ2 of [0, 1] intensity, so each has a panel
and an axis of its own. Models differ in colour, dash and mark, so that the picture reads without
colour.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Examination = Mapping[str, Any]
STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#0b5fa5", "linestyle": "-", "marker": "o"},
    {"color": "#a63603", "linestyle": "--", "marker": "s"},
)
INK = "#1a1a22"
WIDE, HIGH = 5.2, 3.6  # inches of one panel


class Unmeasured(ValueError):
    """Nothing was measured that could be drawn."""


def picture(made: Sequence[Examination]) -> Figure:
    """The panels for which any of the examinations has numbers, two in a row.

    Accuracy under PGD against its bound, with AutoAttack where it was tried; certified accuracy,
    and certified overlap, against the radius; what attacks leave of maps, as bars of top-k
    intersection with Kendall's τ marked. Raises Unmeasured where there is none, and ValueError for
    more than two examinations.
    """
    if len(made) > len(STYLES):
        raise ValueError(f"examinations are {len(made)}; at most {len(STYLES)} can be told apart")
    panels = [draw for has, draw in PANELS if any(has(each) for each in made)]
    if not panels:
        rule = "ask for attacked, explained or certified pictures"
        raise Unmeasured(f"nothing was measured that can be drawn; {rule}")
    rows, columns = -(-len(panels) // 2), min(2, len(panels))
    figure = Figure(figsize=(WIDE * columns, HIGH * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).flatten()
    for place, draw in zip(places, panels, strict=False):
        draw(place, made)
    for place in places[len(panels) :]:
        place.set_axis_off()
    places[0].legend(loc="lower left", fontsize=8, frameon=False)
    return figure


def _attacked(place: Axes, made: Sequence[Examination]) -> None:
    for each, style in zip(made, STYLES, strict=False):
        if "curve" in each.get("pgd", {}):
            curve = each["pgd"]["curve"]
            place.plot(curve["bounds"], curve["accuracy"], label=each["model"], **style)
        if "autoattack" in each:
            bound, left = each["paper"]["pgd"]["bound"], each["autoattack"]["accuracy"]
            name = f"{each['model']}, AutoAttack"
            place.plot([bound], [left], "*", markersize=12, color=style["color"], label=name)
    _labelled(place, "accuracy under PGD", "bound of the attack, ℓ∞ grey levels")
    place.set_ylim(0, 1.02)


def _certified(measure: str, title: str) -> Callable[[Axes, Sequence[Examination]], None]:
    def draw(place: Axes, made: Sequence[Examination]) -> None:
        for each, style in zip(made, STYLES, strict=False):
            if "certified" in each:
                curve = each["certified"]["curve"]
                # A share at one radius is proven at every smaller one, hence steps backwards.
                shown = style | {"marker": "", "drawstyle": "steps-pre"}
                place.plot(curve["radii"], curve[measure], label=each["model"], **shown)
        _labelled(place, title, "radius, ℓ2 of [0, 1] intensity")
        place.set_ylim(0, 1.02)

    return draw


def _maps(place: Axes, made: Sequence[Examination]) -> None:
    names = list(dict.fromkeys(name for each in made for name in left_of_maps(each)))
    thick = 0.8 / len(made)
    for number, (each, style) in enumerate(zip(made, STYLES, strict=False)):
        left = left_of_maps(each)
        where = [names.index(name) + (number - (len(made) - 1) / 2) * thick for name in left]
        shares, orders = zip(*left.values(), strict=True) if left else ((), ())
        place.barh(where, shares, thick, color=style["color"], label=each["model"])
        place.plot(orders, where, "D", color="white", markeredgecolor=INK, markersize=4)
    place.set_yticks(range(len(names)), names, fontsize=7)
    place.set_ylim(len(names) - 0.5, -0.5)
    place.set_xlim(min(0.0, place.get_xlim()[0]), 1.02)
    _labelled(place, "what attacks leave of maps", "top-k intersection; ◇ Kendall's τ")


def left_of_maps(made: Examination) -> dict[str, tuple[float, float]]:
    """For each base map and aim the top-k intersection and Kendall's τ; undefined ones left out."""
    known = {base: aims for base, aims in made.get("maps", {}).items() if isinstance(aims, dict)}
    pairs = {
        f"{base.replace('_', ' ')}, {aim.replace('_', ' ')}": (each["top_k"], each["kendall"])
        for base, aims in known.items()
        for aim, each in aims.items()
    }
    return {name: pair for name, pair in pairs.items() if not np.isnan(pair).any()}


def _labelled(place: Axes, title: str, below: str) -> None:
    place.set_title(title, fontsize=10)
    place.set_xlabel(below, fontsize=8)
    place.tick_params(labelsize=8)
    place.spines[["top", "right"]].set_visible(False)


# Whether an examination has what a panel shows, and how it is drawn.
PANELS: tuple[
    tuple[Callable[[Examination], bool], Callable[[Axes, Sequence[Examination]], None]], ...
] = (
    (lambda made: "curve" in made.get("pgd", {}) or "autoattack" in made, _attacked),
    (lambda made: "certified" in made, _certified("accuracy", "certified accuracy")),
    (lambda made: "certified" in made, _certified("overlap", "certified overlap of the map")),
    (lambda made: bool(left_of_maps(made)), _maps),
)
