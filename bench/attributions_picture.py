"""Maps side by side: how often each cell of a photograph is voted for, by attribution."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.planned import fitted
from models.attribution.methods import METHODS
from models.registry import card


def picture(record: dict[str, Any], root: Path) -> Figure:
    """One row for each photograph, one column for each attribution; each map from the most samples
    that any table has."""
    tables = [t for t in record["tables"] if t["model"] != "digits-tiny" and not t["cell"]]
    maps = {(r["picture"], r["attribution"]): r["shares"] for t in tables for r in t["rows"]}
    photographs = sorted({name for name, _ in maps})
    columns = [name for name in METHODS if any(name == base for _, base in maps)]
    figure = Figure(
        figsize=(1.5 * len(columns) + 1.5, 1.6 * len(photographs)), layout="constrained"
    )
    axes = figure.subplots(len(photographs), len(columns) + 1, squeeze=False)
    for row, photograph in zip(axes, photographs, strict=True):
        file = root / tables[0]["folder"] / f"{photograph}.jpg"
        row[0].imshow(fitted(file, card(tables[0]["model"])))
        for place, name in zip(row[1:], columns, strict=True):
            _map(place, maps.get((photograph, name)))
        for place in row:
            place.set_axis_off()
    for place, name in zip(axes[0, 1:], columns, strict=True):
        place.set_title(name.replace("_", " ").replace(" smoothgrad", "\nsmoothgrad"), fontsize=8)
    return figure


def _map(place: Axes, shares: list[float] | None) -> None:
    if shares is not None:
        side = round(len(shares) ** 0.5)
        place.imshow(np.reshape(shares, (side, side)), vmin=0, vmax=1, cmap="viridis")
