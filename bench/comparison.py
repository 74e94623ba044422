"""The page about DANCE and its controls, from the numbers of bench.decoys alone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from scipy.stats import binom

from bench.arms import ARMS
from bench.provenance import ROOT

PAGE, NUMBERS = ROOT / "docs" / "comparison.md", ROOT / "docs" / "bench" / "decoys.json"
CHANCE = 0.05  # how rarely equals may be called different, in one comparison
TITLES = {arm.name: arm.title for arm in ARMS}
CONTROLS = tuple(arm.name for arm in ARMS if arm.name != "dance")


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
Unit = dict[str, Any]


def value(unit: Unit, arm: str, measure: Measure) -> float | None:
    """One picture's number: for attacks the mean over the aims, None where none is defined."""
    if measure.kind == "quality":
        return float(unit["quality"][arm][measure.name])
    if unit[measure.kind] is None:
        return None
    found = [one[measure.name] for one in unit[measure.kind][arm].values()]
    defined = [one for one in found if one is not None]
    return fmean(defined) if defined else None


def average(units: Iterable[Unit], arm: str, measure: Measure) -> float | None:
    """The mean over pictures."""
    found = [one for unit in units if (one := value(unit, arm, measure)) is not None]
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


def selected(record: dict[str, Any], base: str, model: str = "") -> list[Unit]:
    """The units of a base, of one model or of all."""
    return [u for u in record["units"] if u["base"] == base and model in ("", u["model"])]


def page(record: dict[str, Any]) -> str:
    """The document, from its numbers alone."""
    gradient = selected(record, "gradient")
    pairs = dict.fromkeys((u["model"], u["base"]) for u in record["units"])
    return TEXT.format(
        arms="\n".join(_described(gradient)),
        settings="\n".join(_setting(s, gradient) for s in record["settings"]),
        claims="\n".join(_claim(gradient, *claim) for claim in CLAIMS),
        questions="\n".join(_claim(gradient, *question) for question in QUESTIONS),
        words=WORDS,
        tables="\n".join(_tables(record, *pair) for pair in pairs),
        commit=record["commit"][:7],
        device=record["device"],
    )


def _described(units: Sequence[Unit]) -> list[str]:
    """Rows: each source with its sizes on the network's pictures."""
    models = dict.fromkeys(u["model"] for u in units)
    lines = [f"| pictures | {' | '.join(f'{m}: ℓ1, ℓ∞' for m in models)} |"]
    lines.append("| --- |" + " --: |" * len(models))
    for source, title in SOURCES.items():
        cells = []
        for model in models:
            found = [u["sizes"][source] for u in units if u["model"] == model]
            l1, linf = (fmean(one[size] for one in found) for size in ("l1", "linf"))
            cells.append(f"{l1:.0f}, {linf:.1f}")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def _setting(setting: dict[str, Any], units: Sequence[Unit]) -> str:
    mine = [u for u in units if u["model"] == setting["model"]]
    search, strength = mine[0]["search"], setting["strength"]
    return SETTING.format(
        pictures=len(mine),
        maps=mine[0]["maps"],
        null=sum(u["null"] for u in mine),
        **search,
        **{name: setting[name] for name in ("model", "bound", "blur")},
        attack_steps=strength["steps"],
        length=strength["length"],
        restarts=strength["restarts"],
    )


def _duels(units: Sequence[Unit], measures: Sequence[Measure]) -> str:
    lines = [f"| DANCE against | {' | '.join(m.head for m in measures)} |"]
    lines.append("| --- |" + " --: |" * len(measures))
    for control in CONTROLS:
        cells = (str(duel(units, control, measure)) for measure in measures)
        lines.append(f"| {TITLES[control]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _claim(units: Sequence[Unit], text: str, control: str, measure: Measure) -> str:
    """One line: the claim, and what became of it with each network."""
    found = []
    for model in dict.fromkeys(u["model"] for u in units):
        fought = duel([u for u in units if u["model"] == model], control, measure)
        if fought.wins + fought.losses:
            found.append(f"{model} {fought.wins} : {fought.losses}, {ANSWERS[fought.verdict]}")
    return f"- {text} *{'; '.join(found)}.*"


def _tables(record: dict[str, Any], model: str, base: str) -> str:
    units = selected(record, base, model)
    attacked, itself = (*QUALITY, *TRANSFER), units[0]["adaptive"] is not None
    parts = [f"### {model}, {base.replace('_', ' ')}, {len(units)} pictures", ""]
    parts += [_table(units, attacked), "", _duels(units, attacked)]
    if itself:
        parts += ["", "Each map itself attacked:", ""]
        parts += [_table(units, ADAPTIVE), "", _duels(units, ADAPTIVE)]
    return "\n".join(parts) + "\n"


def _table(units: Sequence[Unit], measures: Sequence[Measure]) -> str:
    lines = [f"| map | {' | '.join(m.head for m in measures)} |"]
    lines.append("| --- |" + " --: |" * len(measures))
    best = [_best(units, measure) for measure in measures]
    for arm in ARMS:
        cells = []
        for measure, most in zip(measures, best, strict=True):
            mean = average(units, arm.name, measure)
            text = "–" if mean is None else f"{mean:.3f}"
            cells.append(f"**{text}**" if mean is not None and mean == most else text)
        lines.append(f"| {arm.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _best(units: Sequence[Unit], measure: Measure) -> float | None:
    means = [m for arm in ARMS if (m := average(units, arm.name, measure)) is not None]
    pick: Callable[[list[float]], float] = max if measure.up else min
    return pick(means) if means else None


SOURCES = {
    "decoys": "decoys",
    "bounded": "noise of equal ℓ∞",
    "scattered": "noise of equal ℓ1 and ℓ∞",
    "constant": "mean colour in the decoys' places",
}
FIDELITY, SENSITIVITY, ITSELF = QUALITY[0], TRANSFER[0], ADAPTIVE[0]
ANSWERS = {"better": "**yes**", "worse": "**no, the opposite**", "open": "open"}
CLAIMS = (
    ("Maps of DANCE are more faithful than the base map.", "plain", FIDELITY),
    ("They move less than the base map when the base map is attacked.", "plain", SENSITIVITY),
    ("The range is more faithful than the mean of the same maps.", "decoys_mean", FIDELITY),
    ("It moves less than the mean of the same maps.", "decoys_mean", SENSITIVITY),
    ("Decoys are more faithful than constant patches.", "constant_range", FIDELITY),
    ("They move less than constant patches.", "constant_range", SENSITIVITY),
)
QUESTIONS = (
    ("More faithful than its own changes at random places?", "scattered_range", FIDELITY),
    ("Moves less than with its own changes at random places?", "scattered_range", SENSITIVITY),
    ("More faithful than noise of equal ℓ∞?", "bounded_range", FIDELITY),
    ("Moves less than with noise of equal ℓ∞?", "bounded_range", SENSITIVITY),
    ("Moves less than the base map when each is attacked itself?", "plain", ITSELF),
)
SETTING = """- **{model}**: {pictures} pictures; {maps} decoys each, {null} null in all; layer
  `{layer}`, tolerance {tolerance}, patches of {patch} every {stride} pixels moved by at most {cap}
  grey levels in {steps} steps, scheme {scheme}. Attacks: ℓ∞ {bound} grey levels, {attack_steps}
  steps of {length}, {restarts} restarts. Insertion begins with a blur of {blur} pixels."""
TEXT = """# DANCE beside its controls

DANCE (Lu et al. 2021) looks for decoys, pictures that the first layers of the network cannot tell
from the picture, and takes the range, maximum minus minimum, of a base map over them. A range grows
with the number of maps and with the distance of the pictures, whatever they are. So this page
compares at equal number, and with noise of equal size. `python -m bench.decoys` measures and writes
it; the numbers with their commit are in [bench/decoys.json](bench/decoys.json). They are ours, on
few pictures and two small networks; the paper's own are bar charts of other networks.

## What is compared

All arms have the same number of maps, but the base map alone. Mean changes of the pictures, in grey
levels:

{arms}

Noise of equal ℓ∞ is uniform up to each decoy's largest change, so it moves the picture much further
in ℓ1. Noise of equal ℓ1 and ℓ∞ is each decoy's own changes at random places with random signs: the
control that has everything of the decoys but the search. Constant patches, a control of the paper,
are the pixels that a decoy changed, set to the picture's mean colour: as many maps, but much larger
changes.

{settings}

## How it is measured

- **Fidelity**, lower is better: −log(F(E∘x) / F(Ē∘x)), F the probability of the explained class,
  E the map in [0, 1] as the paper shows it, Ē its mean everywhere; see
  `models/evaluation/fidelity.py`.
- **Deletion**, lower is better, and **insertion**, higher is better: area under the probability
  while pixels go to the mean colour, or come back into a blur, in the order of the map.
- **Under attack**: the three attacks of Ghorbani et al. (2019), each with the best of its restarts,
  averaged: `sensitivity`, change of the shown map over change of the picture, lower is better;
  intersection of the top tenth of the pixels, Kendall's τ and cosine, higher is better. Decoys are
  searched anew in the attacked picture.
- The paper attacks the **base map** and looks at what becomes of Z. We do that, and where it is
  affordable also attack **each map itself**, through all its base maps, the pictures' offsets held
  fixed while the attack climbs. A map that only stands the first has not been attacked.

a : b means that DANCE is better on a pictures and worse on b; "better" and "worse", or yes and no,
where two equal maps would show this much with a chance of at most 5 %, else "open". Four
photographs decide nothing by this rule, not even 4 : 0. Of the many comparisons a few are decided
by chance.

## Do the claims hold?

Base map gradient. The paper's claims:

{claims}

And what the controls ask:

{questions}

{words}

## The numbers

Means over the pictures, best in bold; then DANCE against each control, picture by picture.
Commit {commit}, {device}.

{tables}
## What this does not say

- Nothing about other networks, tolerances or layers (the card of efficientnet-lite0 names the next
  block, which takes more decoys), nor about the scheme of single patches, which takes thousands.
- Fidelity above 0, as on photographs, means that the picture seen through the map keeps less of its
  class than the picture darkened evenly. Only its order is used here.
- Sensitivity is about the map as it is shown. It is small for a map that is large everywhere, so
  read it beside the top tenth and Kendall's τ.
- Where the gradient of a network is the same everywhere, as in a linear one, all gradients agree,
  every range and deviation is 0, and there is no map to compare.
- Attacks are as strong as stated above. Stronger ones can only lower what is robust here.
"""
WORDS = """In words:

- **On photographs the published claims are seen, but not because of decoys.** The range over decoys
  is more faithful than the gradient, and moves less when the gradient is attacked, on all four. But
  the range over noise of the same size, or over constant patches, is as faithful (more than DANCE
  on two or three of the four) and moves less still, on all four. What helps is a range over many
  pictures, whichever they are; the mean over the decoys hardly differs from the gradient alone. And
  by deletion the gradient alone is better, on all four.
- **On digits they are not seen.** The gradient alone, and the mean over the very same decoys, move
  less and are more faithful on every digit; attacked itself, DANCE moves more than three times as
  far as the gradient.
- **The search does something, but not enough.** On digits, decoys move less than their own changes
  at random places, though not if the base map is integrated gradients. Patches of the mean colour
  in the same places need no search and move less again, with both networks, on every picture.

Why it can be so: a decoy keeps the values of its layer, so the gradient behind the layer hardly
changes, and the range shows which ReLUs before it switch. Where the gradient is steady, as on
digits, that adds movement; where it is not, as on photographs, every range over neighbours is
steadier."""
