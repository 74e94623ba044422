"""What the numbers of bench.decoys say: means over pictures, and DANCE against each control."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from scipy.stats import binom

from bench.decoys_arms import ARMS

CHANCE = 0.05  # how rarely equals may be called different, in one comparison
CONTROLS = tuple(arm.name for arm in ARMS if arm.name != "dance")
Unit = dict[str, Any]


@dataclass(frozen=True)
class Measure:
    """One column. kind: quality, transfer or adaptive; up: whether more is better."""

    kind: str
    name: str
    title: str
    up: bool

    @property
    def head(self) -> str:
        """Title with the direction that is better."""
        return f"{self.title} {'↑' if self.up else '↓'}"


QUALITY = (
    Measure("quality", "fidelity", "fidelity", up=False),
    Measure("quality", "deletion", "deletion", up=False),
    Measure("quality", "insertion", "insertion", up=True),
)
TRANSFER, ADAPTIVE = (
    (
        Measure(kind, "sensitivity", "sensitivity", up=False),
        Measure(kind, "top_k", "top-k", up=True),
        Measure(kind, "kendall", "Kendall's τ", up=True),
        Measure(kind, "cosine", "cosine", up=True),
    )
    for kind in ("transfer", "adaptive")
)


def value(unit: Unit, arm: str, measure: Measure, aim: str = "") -> float | None:
    """One picture's number: for attacks of one aim, or the mean over all; None where undefined.

    A map that is attacked itself counts by the worse of that attack and the one on its base map:
    whoever attacks may choose.
    """
    if measure.kind == "quality":
        return float(unit["quality"][arm][measure.name])
    if unit[measure.kind] is None:
        return None
    kinds = ("transfer", "adaptive") if measure.kind == "adaptive" else ("transfer",)
    aims = [name for name in unit["transfer"][arm] if aim in ("", name)]
    found = [[unit[kind][arm][name][measure.name] for kind in kinds] for name in aims]
    worse = min if measure.up else max
    worst = [worse(known) for tried in found if (known := [n for n in tried if n is not None])]
    return fmean(worst) if worst else None


def average(units: Iterable[Unit], arm: str, measure: Measure, aim: str = "") -> float | None:
    """The mean over pictures."""
    found = [one for unit in units if (one := value(unit, arm, measure, aim)) is not None]
    return fmean(found) if found else None


@dataclass(frozen=True)
class Duel:
    """On how many pictures DANCE is better, and worse, than a control. Ties are neither."""

    wins: int
    losses: int

    @property
    def verdict(self) -> str:
        """better or worse, where equals do as well with a chance of 5 % at most; else open."""
        played = self.wins + self.losses
        for count, word in ((self.wins, "better"), (self.losses, "worse")):
            if played and binom.sf(count - 1, played, 0.5) <= CHANCE:
                return word
        return "open"

    def __str__(self) -> str:
        return f"{self.wins} : {self.losses} {self.verdict}"


def duel(units: Iterable[Unit], control: str, measure: Measure) -> Duel:
    """DANCE against one control, picture by picture."""
    wins = losses = 0
    for unit in units:
        ours, theirs = value(unit, "dance", measure), value(unit, control, measure)
        if ours is None or theirs is None or ours == theirs:
            continue
        won = (ours > theirs) == measure.up
        wins, losses = wins + won, losses + (not won)
    return Duel(wins, losses)


def selected(record: dict[str, Any], base: str, setting: str = "") -> list[Unit]:
    """The units of a base map, of one setting or of all."""
    return [u for u in record["units"] if u["base"] == base and setting in ("", u["setting"])]
