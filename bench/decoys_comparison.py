"""The page about DANCE and its controls, from the numbers of bench.decoys alone."""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from bench.decoys_arms import ARMS
from bench.decoys_duels import (
    ADAPTIVE,
    CONTROLS,
    QUALITY,
    TRANSFER,
    Measure,
    Unit,
    average,
    duel,
    selected,
)
from bench.decoys_words import ANSWERS, CLAIMS, QUESTIONS, SETTING, SOURCES, TEXT, WORDS
from bench.provenance import ROOT
from models.evaluation.robustness import AIMS

PAGE, NUMBERS = ROOT / "docs" / "comparison.md", ROOT / "docs" / "bench" / "decoys.json"
TITLES = {arm.name: arm.title for arm in ARMS}


def page(record: dict[str, Any]) -> str:
    """The document, from its numbers alone."""
    gradient = selected(record, "gradient")
    pairs = dict.fromkeys((u["setting"], u["base"]) for u in record["units"])
    return TEXT.format(
        arms="\n".join(_described(gradient)),
        settings="\n".join(_setting(s, gradient) for s in record["settings"]),
        claims="\n".join(_claim(gradient, *claim) for claim in CLAIMS),
        questions="\n".join(_claim(gradient, *question) for question in QUESTIONS),
        words=WORDS,
        tables="\n".join(_tables(record, *pair) for pair in pairs),
        commits=", ".join(dict.fromkeys(u["commit"][:7] for u in record["units"])),
        device=record["device"],
    )


def _described(units: Sequence[Unit]) -> list[str]:
    """Rows: each source with its sizes on the setting's pictures."""
    names = dict.fromkeys(u["setting"] for u in units)
    lines = [f"| mean ℓ1, ℓ∞ | {' | '.join(names)} |"]
    lines.append("| --- |" + " --: |" * len(names))
    for source, title in SOURCES.items():
        cells = []
        for name in names:
            found = [u["sizes"][source] for u in units if u["setting"] == name]
            l1, linf = (fmean(one[size] for one in found) for size in ("l1", "linf"))
            cells.append(f"{l1:.0f}, {linf:.1f}")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def _setting(setting: dict[str, Any], units: Sequence[Unit]) -> str:
    mine = [u for u in units if u["setting"] == setting["name"]]
    search, strength = mine[0]["search"], setting["strength"]
    return SETTING.format(
        pictures=_some(len(mine), "picture"),
        maps=mine[0]["maps"],
        null=sum(u["null"] for u in mine),
        **search,
        **{name: setting[name] for name in ("name", "bound", "blur")},
        attack_steps=strength["steps"],
        length=strength["length"],
        restarts=_some(strength["restarts"], "restart"),
    )


def _some(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _duels(units: Sequence[Unit], measures: Sequence[Measure]) -> str:
    lines = [f"| DANCE against | {' | '.join(m.head for m in measures)} |"]
    lines.append("| --- |" + " --: |" * len(measures))
    for control in CONTROLS:
        cells = (str(duel(units, control, measure)) for measure in measures)
        lines.append(f"| {TITLES[control]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _claim(units: Sequence[Unit], text: str, control: str, measure: Measure) -> str:
    """One line: the claim, and what became of it in each setting."""
    found = []
    for name in dict.fromkeys(u["setting"] for u in units):
        fought = duel([u for u in units if u["setting"] == name], control, measure)
        if fought.wins + fought.losses:
            found.append(f"{name} {fought.wins} : {fought.losses}, {ANSWERS[fought.verdict]}")
    return f"- {text} *{'; '.join(found)}.*"


def _tables(record: dict[str, Any], setting: str, base: str) -> str:
    units = selected(record, base, setting)
    attacked, itself = (*QUALITY, *TRANSFER), units[0]["adaptive"] is not None
    parts = [f"### {setting}, {base.replace('_', ' ')}, {_some(len(units), 'picture')}", ""]
    parts += [_table(units, attacked), "", _duels(units, attacked)]
    if itself:
        parts += ["", "Each map itself attacked:", ""]
        parts += [_table(units, ADAPTIVE), "", _duels(units, ADAPTIVE)]
        parts += ["", "The same, attack by attack:", "", _by_aim(units)]
    return "\n".join(parts) + "\n"


def _table(units: Sequence[Unit], measures: Sequence[Measure]) -> str:
    return _grid(units, [(measure.head, measure, "") for measure in measures])


def _by_aim(units: Sequence[Unit]) -> str:
    """Top-k intersection and Kendall's τ of each attack on the maps themselves."""
    columns = [
        (f"{aim.replace('_', ' ')}: {measure.head}", measure, aim)
        for aim in AIMS
        for measure in ADAPTIVE[1:3]
    ]
    return _grid(units, columns)


def _grid(units: Sequence[Unit], columns: Sequence[tuple[str, Measure, str]]) -> str:
    """Arms in rows, the best of each column in bold. A column: its head, measure and aim."""
    lines = [f"| map | {' | '.join(head for head, _, _ in columns)} |"]
    lines.append("| --- |" + " --: |" * len(columns))
    best = [_best(units, measure, aim) for _, measure, aim in columns]
    for arm in ARMS:
        cells = []
        for (_, measure, aim), most in zip(columns, best, strict=True):
            mean = average(units, arm.name, measure, aim)
            text = "–" if mean is None else f"{mean:.3f}"
            cells.append(f"**{text}**" if mean is not None and mean == most else text)
        lines.append(f"| {arm.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _best(units: Sequence[Unit], measure: Measure, aim: str) -> float | None:
    means = [m for arm in ARMS if (m := average(units, arm.name, measure, aim)) is not None]
    pick: Callable[[list[float]], float] = max if measure.up else min
    return pick(means) if means else None
