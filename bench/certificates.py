"""Certified overlap against radius, every route and every competitor from the same samples.

    python -m bench.certificates                 bundled photographs, as the model card says
    python -m bench.certificates --samples 1000 10000 --scales 0.1 0.25 0.5
    python -m bench.certificates --photographs FOLDER --out docs/bench/more

Prints one table for each photograph, scale and number of samples, and writes certificates.json and
certificates.png. Competitors fix the number of samples beforehand, so our rows do too; "anytime" is
our best with bounds that hold at every number of samples. The row "liu2021" is the published
formula with estimates plugged in as if exact: no certificate, here to be compared. "levine2019" is
sound, with Hoeffding bounds. Below each table: the share of regions whose label is certified at
scale·Φ⁻¹(0.75), beside what the test of Anani et al. (2025) certifies there.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from scipy.special import ndtri

from bench.planned import planned
from bench.provenance import ROOT, provenance
from certify.certificate import Certificate, certify
from certify.evidence import Evidence
from certify.plan import Plan, Question
from certify.published import anani_labels, levine_radii, liu_radius
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

RADII_IN_SCALES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.6, 1.0)
COMPETITORS = ("liu2021", "levine2019")
ROUTES = ("renyi", "simplex", "per_feature", "pairwise")
UNSOUND = {"liu2021": "plug-in estimates, and overstated for two or more swaps"}
FAILURE_PROBABILITY = 0.001
THRESHOLD = 0.75
KEY = "affd0000000000000000000000000001"
CHUNK = 64
STYLES = {"liu2021": ":", "levine2019": (0, (1, 3)), "renyi": "--", "simplex": (0, (5, 1))}
STYLES |= {"per_feature": "-.", "pairwise": "-"}


@dataclass(frozen=True)
class Run:
    """One photograph at one scale and number of samples, and the radii of each row by swaps."""

    photograph: str
    label: str
    plan: Plan
    samples: int
    certificate: Certificate
    radii: Mapping[str, list[float]]
    certified: Mapping[str, float]

    def overlap(self, row: str, radius: float) -> float:
        """The fraction of the reported that a row says stays within the radius."""
        k = self.certificate.k
        kept = (k - index for index, proven in enumerate(self.radii[row]) if proven >= radius)
        return max(kept, default=0) / k


def main() -> None:
    """Sample, certify, print, write."""
    chosen = _arguments()
    console, sampler = Console(), Sampler(Network(card(chosen.model)))
    runs: list[Run] = []
    with Progress(console=console, transient=True) as progress:
        for photograph in sorted(chosen.photographs.glob("*.[jp][pn]g")):
            for scale in chosen.scales or [sampler.card.defaults.scale]:
                numbers = sorted(chosen.samples or [sampler.card.defaults.samples])
                runs += measure(sampler, photograph, scale, numbers, progress)
                for run in runs[-len(numbers) :]:
                    show(console, run)
    chosen.out.mkdir(parents=True, exist_ok=True)
    record = {**provenance(), "unsound": UNSOUND, "runs": [row(run) for run in runs]}
    (chosen.out / "certificates.json").write_text(json.dumps(record, indent=1) + "\n")
    plot(runs).savefig(chosen.out / "certificates.png", dpi=100)
    console.print(f"wrote certificates.json and certificates.png to {chosen.out}")


def measure(
    sampler: Sampler, photograph: Path, scale: float, numbers: list[int], progress: Progress
) -> list[Run]:
    """Draw the most samples that are wanted; fewer are the first of them."""
    picture, plan = planned(sampler, photograph, scale, KEY)
    evidence = Evidence.empty(plan.features)
    task = progress.add_task(f"{photograph.stem}, scale {scale}", total=numbers[-1])
    for start in range(0, numbers[-1], CHUNK):
        stop = min(start + CHUNK, numbers[-1])
        evidence = evidence.merge(sampler.draw(plan, picture, start, stop))
        progress.update(task, completed=stop)
    progress.remove_task(task)
    label = sampler.card.classes[plan.target]
    return [_run(photograph.stem, label, plan, first(evidence, number)) for number in numbers]


def first(evidence: Evidence, samples: int) -> Evidence:
    """The evidence of the first samples alone."""
    return Evidence.from_votes(0, single_votes(evidence)[:samples], evidence.predictions[:samples])


def single_votes(evidence: Evidence) -> NDArray[np.bool_]:
    """The votes as (samples, features) booleans; raises ValueError where they are not kept."""
    if evidence.votes is None:
        raise ValueError(f"{evidence.features} features: single votes are not kept")
    return np.unpackbits(evidence.votes, axis=1, count=evidence.features).astype(bool)


def _run(photograph: str, label: str, plan: Plan, evidence: Evidence) -> Run:
    k, samples, scale = plan.recipe.votes, evidence.samples, plan.recipe.scale
    asked = Question(k, samples, FAILURE_PROBABILITY, "fixed", "2")
    proven = certify(plan, evidence, asked)
    anytime = certify(plan, evidence, replace(asked, confidence="anytime"))
    masses = (evidence.counts / (samples * plan.recipe.votes)).tolist()
    swaps = range(1, len(proven.curve) + 1)
    levine = levine_radii(scale, evidence.counts, samples, k, FAILURE_PROBABILITY)
    radii = {
        "liu2021": [liu_radius(scale, masses, k, number) for number in swaps],
        "levine2019": levine,
        **{route: [point.routes[route] for point in proven.curve] for route in ROUTES},
        "best": [point.radius for point in proven.curve],
        "anytime": [point.radius for point in anytime.curve],
    }
    labels = proven.labels(scale * float(ndtri(THRESHOLD)))
    theirs = anani_labels(single_votes(evidence), THRESHOLD, FAILURE_PROBABILITY)
    certified = {"ours": float((labels != 0).mean()), "anani2025": float((theirs != 0).mean())}
    return Run(photograph, label, plan, samples, proven, radii, certified)


def row(run: Run) -> dict[str, Any]:
    """One entry of the JSON."""
    recipe = run.plan.recipe
    overlaps = {
        name: [round(run.overlap(name, r * recipe.scale), 4) for r in RADII_IN_SCALES]
        for name in run.radii
    }
    return {
        "photograph": run.photograph,
        "model": run.plan.model,
        "class": run.label,
        "scale": recipe.scale,
        "samples": run.samples,
        "cell": recipe.cell,
        "votes": recipe.votes,
        "k": run.certificate.k,
        "class_radius": run.certificate.prediction.radius,
        "radii_in_scales": RADII_IN_SCALES,
        "certified_overlap": overlaps,
        "certified_regions": {name: round(share, 4) for name, share in run.certified.items()},
    }


def show(console: Console, run: Run) -> None:
    """One table."""
    recipe = run.plan.recipe
    console.print(
        f"\n{run.photograph} ({run.label}), top {run.certificate.k} of {run.plan.features}, "
        f"scale {recipe.scale}, {run.samples} samples: certified overlap at radius / scale",
        soft_wrap=True,
    )
    console.print(f"{'':12}" + "".join(f"{r:8}" for r in RADII_IN_SCALES))
    for name, values in row(run)["certified_overlap"].items():
        console.print(f"{name:12}" + "".join(f"{value:8.3f}" for value in values))
    ours, theirs = run.certified["ours"], run.certified["anani2025"]
    console.print(
        f"regions certified at Φ⁻¹(0.75) scales: {ours:.3f}, by Anani et al. {theirs:.3f}"
    )


def plot(runs: list[Run]) -> Figure:
    """One panel for each run: overlap against radius, each row its own line style."""
    columns = min(len(runs), 4)
    rows = -(-len(runs) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns, sharey=True)).ravel()
    for axis, run in zip(axes, runs, strict=False):
        radii = np.linspace(0.001, run.plan.recipe.scale, 400)
        for name, style in STYLES.items():
            label = f"{name} (no proof)" if name in UNSOUND else name
            axis.step(radii, [run.overlap(name, r) for r in radii], linestyle=style, label=label)
        title = f"{run.photograph}: {run.label}, {run.samples} samples"
        axis.set(title=title, xlabel="radius, ℓ2 in [0, 1] intensity")
    axes[0].set_ylabel(f"certified overlap of the top {runs[0].certificate.k}")
    axes[0].legend(fontsize="small")
    figure.suptitle(f"{runs[0].plan.model}, confidence 99.9 %")
    return figure


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--photographs", type=Path, default=ROOT / "examples" / "photos")
    parser.add_argument("--samples", type=int, nargs="*", help="default: as the card says")
    parser.add_argument("--scales", type=float, nargs="*", help="default: as the card says")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench")
    return parser.parse_args()


if __name__ == "__main__":
    main()
