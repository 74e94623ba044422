"""docs/attributions.md, from its numbers alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models.attribution.methods import METHODS
from models.registry import cards

# Measured on a page of their own.
ELSEWHERE = ("dance",)
HEAD = "attribution | processor seconds for 1000 samples | radius 0.1 | 0.3 | 0.6"
COLUMNS = f"| {HEAD} | proven important | proven unimportant | also for the runner-up | left |"
RULE = "| --- |" + " --: |" * 8


@dataclass(frozen=True)
class Mean:
    """Means over the pictures of one table."""

    seconds: float
    overlap: tuple[float, ...]
    important: float
    unimportant: float
    other_class: float
    left: float


def page(record: dict[str, Any]) -> str:
    """The document."""
    tables = [table for table in record["tables"] if table["rows"]]
    return TEXT.format(
        names="\n".join(_name(name) for name in METHODS),
        unsupported="\n".join(_unsupported()),
        tables="\n".join(_table(table) for table in tables),
        reading=_reading(tables),
        device=record["device"],
        torch=record["versions"]["torch"],
        remark=record["remark"],
    )


def means(table: Mapping[str, Any]) -> dict[str, Mean]:
    """By attribution, in the order of the table."""
    names = list(dict.fromkeys(row["attribution"] for row in table["rows"]))
    return {name: _mean([r for r in table["rows"] if r["attribution"] == name]) for name in names}


def _mean(rows: list[Mapping[str, Any]]) -> Mean:
    def over(values: Iterable[float]) -> float:
        return sum(values) / len(rows)

    return Mean(
        seconds=over(row["seconds"] for row in rows),
        overlap=tuple(over(column) for column in zip(*(r["overlap"] for r in rows), strict=True)),
        important=over(row["important"] for row in rows),
        unimportant=over(row["unimportant"] for row in rows),
        other_class=over(row["other_class"] for row in rows),
        left=over(row["left"] for row in rows),
    )


def _name(name: str) -> str:
    method = METHODS[name]
    return f"| `{name}` | {method.title}: {method.summary} | {method.passes} | {method.source} |"


def _unsupported() -> list[str]:
    return [
        f"- `{name}` on `{made.name}`: {reason}."
        for made in cards().values()
        for name, reason in made.unsupported
    ]


def _table(table: Mapping[str, Any]) -> str:
    found = means(table)
    pictures = table["pictures"]
    title = f"{table['model']}, {table['samples']} samples, " + (
        f"the {len(pictures)} digits" if table["model"] == "digits-tiny" else ", ".join(pictures)
    )
    title += f", cells of {table['cell']} pixels" if table["cell"] else ""
    lines = [f"### {title}", "", COLUMNS, RULE]
    best = [max(mean.overlap[place] for mean in found.values()) for place in range(3)]
    for name, mean in found.items():
        overlaps = " | ".join(
            f"**{value:.3f}**" if value == most else f"{value:.3f}"
            for value, most in zip(mean.overlap, best, strict=True)
        )
        lines.append(
            f"| `{name}` | {mean.seconds:.1f} | {overlaps} | {mean.important:.3f} "
            f"| {mean.unimportant:.3f} | {mean.other_class:.2f} | {mean.left:.2f} |"
        )
    return "\n".join(lines) + "\n" + _missing(table)


def _missing(table: Mapping[str, Any]) -> str:
    """Which attributions of the model a table of all lacks."""
    there = means(table)
    made = cards()[table["model"]]
    asked = table["only"] or made.attributions
    cheap = [name for name in asked if METHODS[name].passes <= table["passes"]]
    left_out = [f"`{name}`" for name in cheap if name not in (*there, *ELSEWHERE)]
    return f"\nNot drawn here: {', '.join(left_out)}.\n" if left_out else ""


def _reading(tables: list[Mapping[str, Any]]) -> str:
    """What the tables say in words. Every comparison made here is a test's, too."""
    digits, few, many, coarse = (means(table) for table in tables)
    return READING.format(
        few=few,
        many=many,
        coarse=coarse,
        short=tables[1]["samples"],
        long=tables[2]["samples"],
        between=tables[3]["samples"],
        lrp_price=many["lrp"].seconds / many["gradient"].seconds,
        cam_price=many["grad_cam"].seconds / many["gradient"].seconds,
        rise_price=few["rise"].seconds / few["gradient"].seconds,
        smooth=max(few[name].overlap[1] for name in SMOOTH),
        smooth_price=min(few[name].seconds for name in SMOOTH) / few["gradient"].seconds,
        least=min(mean.overlap[1] for mean in digits.values()),
        most=max(mean.overlap[1] for mean in digits.values()),
    )


SMOOTH = ("smoothgrad", "squared_smoothgrad", "sparsified_smoothgrad", "relaxed_smoothgrad")

TEXT = """# Base attributions

The map of one noisy picture is made by a base attribution, and certificates hold for any: to the
proof it is a black box. So a request may name it (`attribution` in `/v1/explain` and `/v1/certify`,
`--attribution` on the command line), and the recipe on the certificate does. This page says what
each name stands for and which ones certify well. `python -m bench.attributions` writes it; numbers,
with their commit, are in [bench/attributions.json](bench/attributions.json).

## What a name stands for

A certified map is a function of the noisy picture, so a name stands for one set of parameters for
ever; what would change a map gets another name. What is random inside (the noise of a SmoothGrad,
the masks of RISE) is drawn at fixed addresses and is the same for every picture. Maps are signed;
a cell's score is the mean over it of the largest magnitude over channels. Passes are those through
the network for one picture, forward and back.

| name | what it is | passes | source |
| --- | --- | --: | --- |
{names}

Guided backpropagation and occlusion are Captum's, the others ours; tests hold each
against its formula on networks small enough to compute by hand. Where Captum would have been wrong
in silence, it is not asked:

- Its guided backpropagation finds `ReLU` layers only, and both networks for photographs have
  `ReLU6`. It is given a twin of the network in which `ReLU6` is a `ReLU` and a cap.
- Its LRP knows neither `ReLU6` nor additions. With rules for both supplied it overflows on these
  networks, whichever of its rules convolutions get: it divides by sums of mixed sign, and inverted
  residuals are full of those. Ours counts positive products only (z⁺) and agrees with Captum's on
  networks where both apply.

Rules for ReLUs refuse networks with any other kink. What a model does not support, its card says
(`GET /v1/models/NAME`), and a request for it is refused:

{unsupported}

Integrated gradients with 16 steps are a fixed function like any other, but not yet the integral on
networks for photographs, whose gradient turns too often on the way; on digits they are.

## Which certify well

![How often each region is among the most important, by attribution](bench/attributions.png)

Top quarter of the cells, Gaussian noise of scale 0.25, confidence 99.9 %, fixed number of samples;
the same pictures, noise and samples for each. Means over the pictures; the best of each column of
overlaps in bold. DANCE has [a page of its own](dance.md).

- *radius*: the share of the reported that provably stays, at this radius in units of the scale.
- *proven important, unimportant*: the share of all cells whose majority label holds up to 0.674
  scales, where Anani et al. (2025, arXiv:2506.15499) test.
- *also for the runner-up*: of the votes for the class, how many the second most probable class
  would get from the same noisy pictures. A quarter is chance; 1 is a map that ignores the class.
- *left*: the share of the class's probability that is left when the reported cells of the clean
  picture are covered. Little is good: those cells mattered.
- Seconds are of one processor thread that others kept busy ({device}, torch {torch}): to compare,
  not to quote.{remark}

{tables}
{reading}
"""


READING = """## What it says

At 0.3 scales, unless said otherwise:

- **LRP certifies best at equal samples,** as Anani et al. found: with {long} samples it proves
  {many[lrp].overlap[1]:.3f} of the overlap, the gradient {many[gradient].overlap[1]:.3f}. One of
  its samples takes {lrp_price:.1f} times as long, but with {short}, a quarter, it proves
  {few[lrp].overlap[1]:.3f}: at about equal price it is the better buy, too.
- **RISE, their other best, is not the best here.** {short} samples prove
  {few[rise].overlap[1]:.3f}: more than the gradient's {few[gradient].overlap[1]:.3f}, less than the
  {few[lrp].overlap[1]:.3f} of LRP, in {rise_price:.0f} times the gradient's time. Its 128 masks are
  few (the paper has thousands). What it does best is to tell classes apart: only
  {few[rise].other_class:.2f} of its votes would go to the runner-up as well.
- **Grad-CAM proves most for its price:** {many[grad_cam].overlap[1]:.3f} with {long} samples, each
  at {cam_price:.1f} times the time of the gradient's, for it stops at the last layer on its way
  back and remembers nothing of the way there. Part of what it proves is being coarse: its map is
  7×7 values, enlarged. But in cells of 32 pixels, where the gradient is as coarse, {between}
  samples of Grad-CAM still prove
  {coarse[grad_cam].overlap[1]:.3f} and of the gradient {coarse[gradient].overlap[1]:.3f}.
- **What certifies well may hardly look at the class.** Of the votes of guided backpropagation the
  runner-up would get {many[guided_backprop].other_class:.2f}, of LRP's
  {many[lrp].other_class:.2f}, of Grad-CAM's {many[grad_cam].other_class:.2f}, of the gradient's
  {many[gradient].other_class:.2f}. That z⁺ relevance depends little on the class is known (Sixt et
  al. 2020, arXiv:1912.09818). A certificate says that a map is stable, not what it is about.
- **A SmoothGrad inside does not pay.** The best of the four proves {smooth:.3f} with {short}
  samples at {smooth_price:.0f} times the gradient's time or more; the gradient with {long}, four
  times as many, proves {many[gradient].overlap[1]:.3f}. Noise that is drawn outside counts as
  evidence, noise inside does not.
- **On digits the choice matters less:** all lie between {least:.3f} and {most:.3f}.

## The default

Certificates and maps of votes take the model card's: `grad_cam` for the two networks of
photographs, which average planes before their classifier, and the gradient for digits. Where cells
smaller than 32 pixels matter, `lrp` with a quarter of the samples is the better choice. Both prove
more than the gradient from about the same processor time, and what they report matters to the class
no less ({many[grad_cam].left:.2f} and {many[lrp].left:.2f} of its probability are left without it,
{many[gradient].left:.2f} without what the gradient reports; in the coarse cells
{coarse[grad_cam].left:.2f} against {coarse[gradient].left:.2f}, so four photographs do not tell).
Guided backpropagation is no default, well as it certifies, because it shows what is in the picture
and not what speaks for the class; RISE and occlusion are none at their price.
"""
