"""Certified overlap against radius, every route from the same samples of the bundled photographs.

    python -m bench.certificates              all photographs, samples as the model card says
    python -m bench.certificates --samples 200 --out /tmp/trial

Prints one table for each photograph and writes certificates.json and certificates.png. The row
"published" is the formula of Liu et al. (2021) with estimates plugged in as if exact: it is no
certificate, and stands here to be compared.
"""

import argparse
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

from bench.provenance import ROOT, provenance
from certify.certificate import Certificate, certify
from certify.evidence import Evidence
from certify.plan import Plan, Question, Recipe
from certify.published import liu_radius
from models.images import decode, digest, fit
from models.loading import Network
from models.registry import Card, card
from models.sampling import Sampler

PHOTOGRAPHS = ("coffee", "chelsea", "rocket", "astronaut")
RADII_IN_SCALES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.6, 1.0)
ROUTES = ("published", "renyi", "per_feature", "best")
SOUND = {"published": "no: a plug-in estimate", "renyi": "yes", "per_feature": "yes", "best": "yes"}
FAILURE_PROBABILITY = 0.001
KEY = "affd0000000000000000000000000001"
CHUNK = 64


@dataclass(frozen=True)
class Run:
    """One photograph: its plan, what was sampled, what was proven and what was published."""

    photograph: str
    label: str
    plan: Plan
    certificate: Certificate
    published: list[float]


def main() -> None:
    """Sample, certify, print, write."""
    arguments = _arguments()
    chosen = card(arguments.model)
    samples = arguments.samples or chosen.defaults.samples
    sampler, console = Sampler(Network(chosen)), Console()
    runs = []
    with Progress(console=console) as progress:
        for photograph in PHOTOGRAPHS:
            runs.append(run(sampler, chosen, photograph, samples, progress))
            _print(console, runs[-1], samples)
    arguments.out.mkdir(parents=True, exist_ok=True)
    record = {**provenance(), "samples": samples, "photographs": [_row(r) for r in runs]}
    (arguments.out / "certificates.json").write_text(json.dumps(record, indent=1) + "\n")
    plot(runs, samples).savefig(arguments.out / "certificates.png", dpi=110)
    console.print(f"wrote certificates.json and certificates.png to {arguments.out}")


def run(sampler: Sampler, chosen: Card, photograph: str, samples: int, progress: Progress) -> Run:
    """Draw, then every route from the same evidence."""
    data = (ROOT / "examples" / "photos" / f"{photograph}.jpg").read_bytes()
    picture = fit(decode(data, max_pixels=1 << 26), chosen)
    target = sampler.look(picture).target
    plan = _plan(chosen, digest(picture), target)
    evidence, task = Evidence.empty(plan.features), progress.add_task(photograph, total=samples)
    for start in range(0, samples, CHUNK):
        stop = min(start + CHUNK, samples)
        evidence = evidence.merge(sampler.draw(plan, picture, start, stop))
        progress.update(task, completed=stop)
    k = round(chosen.defaults.k_fraction * plan.features)
    certificate = certify(plan, evidence, Question(k, samples, FAILURE_PROBABILITY, "anytime", "2"))
    masses = evidence.counts / (samples * plan.recipe.votes)
    published = [
        liu_radius(plan.recipe.scale, masses.tolist(), k, swaps)
        for swaps in range(1, len(certificate.curve) + 1)
    ]
    return Run(photograph, chosen.classes[target], plan, certificate, published)


def _plan(chosen: Card, image: str, target: int) -> Plan:
    defaults, size = chosen.defaults, chosen.size
    votes = round(defaults.vote_fraction * (size // defaults.cell) ** 2)
    recipe = Recipe(
        "gaussian", 2, defaults.scale, "gradient", defaults.cell, votes, chosen.lanes, "float32"
    )
    return Plan(chosen.name, chosen.weights, image, size, size, 3, target, recipe, KEY)


def overlap(run: Run, route: str, radius: float) -> float:
    """The certified fraction of the reported set at a radius, by one route."""
    for point, published in zip(run.certificate.curve, run.published, strict=True):
        proven = {**point.routes, "best": point.radius, "published": published}[route]
        if proven >= radius:
            return float(Fraction(point.at_least, run.certificate.k))
    return 0.0


def _row(run: Run) -> dict[str, Any]:
    scale = run.plan.recipe.scale
    return {
        "photograph": run.photograph,
        "model": run.plan.model,
        "class": run.label,
        "scale": scale,
        "cell": run.plan.recipe.cell,
        "votes": run.plan.recipe.votes,
        "k": run.certificate.k,
        "class_radius": run.certificate.prediction.radius,
        "radii_in_scales": RADII_IN_SCALES,
        "certified_overlap": {
            route: [round(overlap(run, route, r * scale), 4) for r in RADII_IN_SCALES]
            for route in ROUTES
        },
        "sound": SOUND,
    }


def _print(console: Console, run: Run, samples: int) -> None:
    recipe = run.plan.recipe
    console.print(
        f"\n{run.photograph} ({run.label}), k = {run.certificate.k} of {run.plan.features}, "
        f"scale {recipe.scale}, {samples} samples: certified overlap at radius / scale"
    )
    console.print(f"{'':14}" + "".join(f"{r:8}" for r in RADII_IN_SCALES))
    for route in ROUTES:
        values = (overlap(run, route, r * recipe.scale) for r in RADII_IN_SCALES)
        console.print(f"{route:14}" + "".join(f"{v:8.3f}" for v in values))


def plot(runs: list[Run], samples: int) -> Figure:
    """One panel for each photograph: overlap against radius, each route its own line style."""
    figure = Figure(figsize=(4 * len(runs), 3.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(runs), sharey=True))
    styles = {"published": ":", "renyi": "--", "per_feature": "-."}
    for axis, run in zip(axes, runs, strict=True):
        radii = np.linspace(0.001, 1.0 * run.plan.recipe.scale, 400)
        for route, style in styles.items():
            overlaps = [overlap(run, route, r) for r in radii]
            label = "published (not a proof)" if route == "published" else route
            axis.step(radii, overlaps, style, label=label)
        axis.set(title=f"{run.photograph}: {run.label}", xlabel="radius, ℓ2 in [0, 1] intensity")
    axes[0].set_ylabel(f"certified overlap of the top {runs[0].certificate.k}")
    axes[0].legend()
    figure.suptitle(f"{runs[0].plan.model}, {samples} samples, confidence 99.9 %")
    return figure


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--samples", type=int, default=0, help="default: as the card says")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench")
    return parser.parse_args()


if __name__ == "__main__":
    main()
