"""The page docs/certificates.md and its picture, from certificates.json alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from models.attribution.methods import METHODS

Runs = Sequence[dict[str, Any]]
ROWS = {
    "liu2021": "Liu et al. 2021, as published: **no proof**",
    "levine2019": "Levine et al. 2019, Hoeffding",
    "renyi": "Rényi, exact",
    "simplex": "simplex",
    "per_feature": "per feature",
    "pairwise": "pairwise",
    "best": "**best, issued**",
    "anytime": "best, anytime bounds",
    "linear": "linear points, best",
    "sigmoid": "sigmoid points, best",
}
COMPARED = ("levine2019", "renyi", "simplex", "per_feature", "pairwise")
LABELS = ("anani2025", "one_radius", "ours", "labels_alone")
STYLES = {"liu2021": ":", "levine2019": (0, (1, 3)), "renyi": "--", "simplex": (0, (5, 1))}
STYLES |= {"per_feature": "-.", "pairwise": "-", "best": "-"}
FAR = 0.6


def page(record: dict[str, Any]) -> str:
    """The document, from its numbers alone."""
    runs: Runs = record["runs"]
    first = runs[0]
    return TEXT.format(
        model=first["model"],
        k=first["k"],
        features=(224 // first["cell"]) ** 2,
        cell=first["cell"],
        photographs=len({run["photograph"] for run in runs}),
        maps=" and ".join(f"{title(name)} maps" for name in attributions(runs)),
        tables="\n".join(_tables(runs, name) for name in attributions(runs)),
        gains="\n".join(_gains(group) for group in groups(runs)),
        regions="\n".join(_regions(group) for group in groups(runs)),
        behind=_behind(runs),
        behind_labels=_behind_labels(runs),
        commit=record["commit"][:12],
        device=record["device"],
    )


def title(attribution: str) -> str:
    """What an attribution is called in a sentence."""
    name = METHODS[attribution].title
    return name if "-" in name else name.lower()


def attributions(runs: Runs) -> list[str]:
    """Those of the runs, the large networks' default first."""
    return sorted({run["attribution"] for run in runs}, key=lambda name: name != "grad_cam")


def mean_overlap(runs: Runs, name: str) -> list[float]:
    """Certified overlap of a row at each radius, averaged over photographs."""
    return list(np.mean([run["certified_overlap"][name] for run in runs], axis=0))


def groups(runs: Runs) -> list[Runs]:
    """Runs of one attribution, scale and number of samples, in order of all three."""

    def key(run: dict[str, Any]) -> tuple[int, float, int]:
        return order.index(run["attribution"]), run["scale"], run["samples"]

    order = attributions(runs)
    return [[run for run in runs if key(run) == at] for at in sorted({key(run) for run in runs})]


def _tables(runs: Runs, attribution: str) -> str:
    ours = [run for run in runs if run["attribution"] == attribution]
    lines = [f"## Overlap of {title(attribution)} maps", "", *map(_table, groups(ours))]
    return "\n".join(lines)


def _table(runs: Runs) -> str:
    radii = runs[0]["radii_in_scales"]
    heading = f"### Scale {runs[0]['scale']}, {runs[0]['samples']} samples"
    lines = [f"{heading}, {len(runs)} photographs", ""]
    lines.append("| radius / scale | " + " | ".join(map(str, radii)) + " |")
    lines.append("| --- |" + " --: |" * len(radii))
    for name, row in ROWS.items():
        cells = (f"{value:.3f}" for value in mean_overlap(runs, name))
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _leading(runs: Runs) -> str:
    """The first cells of a line about runs of one group."""
    first = runs[0]
    return f"| {title(first['attribution'])} | {first['scale']} | {first['samples']} |"


def _gains(runs: Runs) -> str:
    at = runs[0]["radii_in_scales"].index(FAR)
    pairs = [
        tuple(run["certified_overlap"][name][at] for name in ("best", "renyi")) for run in runs
    ]
    ours, renyi = np.mean(pairs, axis=0)
    twice = sum(best > 0 and best >= 2 * exact for best, exact in pairs)
    half = sum(1 - best <= (1 - exact) / 2 for best, exact in pairs)
    return f"{_leading(runs)} {ours:.3f} | {renyi:.3f} | {twice} of {len(runs)} | {half} |"


def _regions(runs: Runs) -> str:
    shares = {name: np.array([run["certified_regions"][name] for run in runs]) for name in LABELS}
    theirs = shares["anani2025"]
    cells = [
        f"{shares[name].mean():.3f} | {int((shares[name] < theirs).sum())}" for name in LABELS[1:]
    ]
    return f"{_leading(runs)} {theirs.mean():.3f} | {' | '.join(cells)} |"


def _behind_labels(runs: Runs) -> str:
    shares = [run["certified_regions"] for run in runs]
    behind = sum(share["one_radius"] < share["anani2025"] for share in shares)
    ahead = sum(share["one_radius"] > share["anani2025"] for share in shares)
    return f"behind on {behind} of {len(runs)} and ahead on {ahead}"


def _behind(runs: Runs) -> str:
    """Where the issued best is below a sound row, in one sentence."""
    cells = [
        (run, name)
        for run in runs
        for name in COMPARED
        for ours, theirs in zip(
            run["certified_overlap"]["best"], run["certified_overlap"][name], strict=True
        )
        if ours < theirs
    ]
    total = len(COMPARED) * sum(len(run["radii_in_scales"]) for run in runs)
    if not cells:
        return f"In none of the {total} comparisons with a sound row the issued best is behind."
    return f"The issued best is behind a sound row in {len(cells)} of {total} comparisons."


def plot(record: dict[str, Any]) -> Figure:
    """One panel for each attribution, scale and number of samples: mean overlap against radius."""
    panels = groups(record["runs"])
    columns = min(len(panels), 3)
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(4.4 * columns, 3.3 * lines), layout="constrained")
    axes = np.atleast_1d(figure.subplots(lines, columns, sharey=True)).ravel()
    for axis, runs in zip(axes, panels, strict=False):
        for name, style in STYLES.items():
            label = f"{name} (no proof)" if name == "liu2021" else name
            width = 2.5 if name == "best" else 1.2
            radii = runs[0]["radii_in_scales"]
            axis.plot(
                radii, mean_overlap(runs, name), linestyle=style, label=label, linewidth=width
            )
        first = runs[0]
        axis.set(
            title=f"{title(first['attribution'])}, {first['scale']}, {first['samples']} samples",
            xlabel="radius / scale, ℓ2",
            ylim=(0, 1),
        )
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    axes[0].set_ylabel(f"certified overlap of the top {record['runs'][0]['k']}")
    axes[0].legend(fontsize="small")
    return figure


TEXT = """# The table we are judged by

Certified overlap of the top {k} of {features} regions of {cell}×{cell} pixels, {model},
{maps}, Gaussian noise, confidence 99.9 %; the mean over {photographs} photographs,
or as many as a table says: the four that come with the project and the first six of a published
package, chosen by nobody. Radii are ℓ2 in units of the noise's scale. All rows of a table come from
the same samples; every sound row is a proof for each photograph.
`python -m bench.certificates --kept FOLDER` draws, measures and writes this page; every single
number is in
[bench/certificates.json](bench/certificates.json) (commit {commit}, {device}).

![Certified overlap against radius](bench/certificates.png)

## In plain words

- {behind}
- At 0.6 scales, the mean overlap of the best against that of exact Rényi, which is the sound form
  of what was published, and on how many photographs the best is above 0 and at least twice as much.
  What Rényi keeps more than half of cannot be doubled: the last column counts photographs on which
  the best loses at most half of what Rényi loses.

| maps | scale | samples | best | Rényi | at least twice | half lost |
| --- | --: | --: | --: | --: | --: | --: |
{gains}

- What Liu et al. (2021) publish treats estimates as if they were exact and overstates two swaps or
  more ([theory](theory.md)): where its row is higher than a sound one, that is what a missing proof
  looks like.
- Points by rank prove less than votes: a vote differs most between the regions inside and outside.
- At one radius chosen beforehand our labels are {behind_labels} of the photographs,
  scales and numbers of samples against the test of Anani et al.

{tables}
## Labels of single regions

Share of regions whose majority label is certified within Φ⁻¹(0.75) = 0.674 scales, beside the test
of Anani et al. (2025) for that radius, which spends the whole failure probability on it. "One
radius" does so too, with all samples and step by step ([theory](theory.md)). A document's labels
hold at every radius at once, from bounds that serve every claim and have 0.7 of the failure
probability; "alone" are the same from all of it. "Behind" counts photographs with fewer regions
than theirs.

| maps | scale | samples | Anani et al. | one radius | behind | document | behind | alone | behind |
| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |
{regions}
"""
