"""The table we are judged by: certified overlap of every route and every competitor.

    python -m bench.certificates --kept FOLDER             ten photographs, three scales
    python -m bench.certificates --kept FOLDER --page      page and picture again, from the JSON
    python -m bench.certificates --kept FOLDER --photographs FOLDER --out FOLDER

Samples that are not in the folder of kept ones yet are drawn: about 50 in a second on two cores, so
two hours for ten photographs, three scales and 10 000 samples; `bench.drawn` in several processes
does it sooner. All rows of a photograph, scale and number come from the same samples, fewer being
the first of more (`bench.competitors`). Writes certificates.json and .png, and
docs/certificates.md.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from scipy.special import ndtri

from bench import certificates_page
from bench.competitors import FAILURE_PROBABILITY, compared, issued, share_kept
from bench.drawn import Drawn, Subject, drawn, there
from bench.photographs import photographs, ten
from bench.provenance import ROOT, provenance
from certify.certificate import Certificate, certify
from certify.confidence import bounds
from certify.evidence import Evidence
from certify.exact import decimal
from certify.labels import labels_within
from certify.noise import table
from certify.per_feature import label_radii
from certify.plan import Plan, Question
from certify.published import anani_labels
from certify.radius import intensity
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

RADII_IN_SCALES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.6, 1.0)
# Points by rank, and how many ranks they reach for each feature reported.
POINTS = {"linear": 2, "sigmoid": 1}
THRESHOLD = 0.75


@dataclass(frozen=True)
class Run:
    """One photograph at one scale and number of samples: radii of each row by swaps."""

    photograph: str
    label: str
    plan: Plan
    samples: int
    class_radius: float
    radii: Mapping[str, list[float]]
    certified: Mapping[str, float]

    def overlap(self, row: str, radius: float) -> float:
        """The fraction of the k = votes reported that a row says stays within the radius."""
        return share_kept(self.radii[row], radius, self.plan.recipe.votes)


def main() -> None:
    """Sample what is missing, certify, print, write."""
    chosen, console = _arguments(), Console()
    numbers = chosen.out / "certificates.json"
    if not chosen.page:
        torch.set_num_threads(1)
        with Progress(console=console, transient=True) as progress:
            rows = [row(run) for run in _runs(chosen, console, progress)]
        chosen.out.mkdir(parents=True, exist_ok=True)
        numbers.write_text(json.dumps({**provenance(), "runs": rows}, indent=1) + "\n")
    record = json.loads(numbers.read_text())
    certificates_page.plot(record).savefig(chosen.out / "certificates.png", dpi=100)
    (chosen.out.parent / "certificates.md").write_text(certificates_page.page(record))
    console.print(f"wrote certificates.json and .png to {chosen.out}, certificates.md beside it")


def _runs(chosen: argparse.Namespace, console: Console, progress: Progress) -> Iterator[Run]:
    sampler = Sampler(Network(card(chosen.model)))
    files = photographs(chosen.photographs) if chosen.photographs else ten(chosen.kept / "photos")
    for attribution, file, scale in product(chosen.attributions, files, chosen.scales):
        subject, numbers = Subject(file, attribution, scale), sorted(chosen.samples)
        if chosen.there:
            most = there(sampler, subject, chosen.kept)
            numbers = [number for number in numbers if number <= most]
        if not numbers:
            continue
        kept = drawn(sampler, subject, numbers[-1], chosen.kept, progress)
        for number in numbers:
            yield (run := measure(file.stem, sampler.card.classes[kept.plan.target], kept, number))
            ours, renyi = (run.overlap(name, 0.6 * scale) for name in ("best", "renyi"))
            title = f"{subject}, {number} samples"
            console.print(f"{title}: at 0.6 scales best {ours:.3f}, Rényi {renyi:.3f}")


def measure(photograph: str, label: str, kept: Drawn, samples: int) -> Run:
    """Every row of one photograph, scale and number of samples."""
    rows = compared(kept, samples)
    points = {name: issued(_by_points(kept, name, rows.asked)) for name in POINTS}
    return Run(
        photograph,
        label,
        rows.plan,
        samples,
        class_radius=rows.anytime.prediction.radius,
        radii={**rows.radii, **points},
        certified=_certified(rows.plan, rows.evidence, rows.proven),
    )


def _by_points(kept: Drawn, score: str, asked: Question) -> Certificate:
    """The same samples, giving points by rank instead of votes."""
    recipe = kept.plan.recipe
    recipe = replace(recipe, score=score, votes=POINTS[score] * recipe.votes)
    plan = replace(kept.plan, recipe=recipe)
    given = plan.points[kept.places[: asked.samples]]
    evidence = Evidence.from_points(0, given, kept.predictions[: asked.samples])
    return certify(plan, evidence, asked)


def _certified(plan: Plan, evidence: Evidence, proven: Certificate) -> dict[str, float]:
    """Shares of regions whose label is certified at Anani et al.'s radius."""
    law, failure = plan.recipe.noise, decimal(FAILURE_PROBABILITY)
    radius = plan.recipe.scale * float(ndtri(THRESHOLD))
    votes, slack = single_votes(evidence), table(law).distance(plan.entries)
    counts, samples = evidence.counts, evidence.samples
    alone = _labels_alone(plan, evidence)
    found = {
        "ours": proven.labels(radius),
        "labels_alone": np.abs(alone) >= radius,
        "one_radius": labels_within(Fraction(radius), counts, samples, law, failure, slack=slack),
        "anani2025": anani_labels(votes, THRESHOLD, FAILURE_PROBABILITY),
    }
    return {name: float((labels != 0).mean()) for name, labels in found.items()}


def _labels_alone(plan: Plan, evidence: Evidence) -> NDArray[np.float64]:
    """Our label radii if the whole failure probability goes to labels, as with Anani et al."""
    each = decimal(FAILURE_PROBABILITY) / plan.features
    both = bounds(evidence.counts, evidence.samples, "fixed", each, Fraction(0))
    found = label_radii(both.lower.tolist(), both.upper.tolist(), plan.recipe.noise)
    return np.array([intensity(units) for units in found])


def single_votes(evidence: Evidence) -> NDArray[np.bool_]:
    """The votes as (samples, features) booleans; raises ValueError where they are not kept."""
    if evidence.votes is None:
        raise ValueError(f"{evidence.features} features: single votes are not kept")
    return np.unpackbits(evidence.votes, axis=1, count=evidence.features).astype(bool)


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
        "attribution": recipe.attribution,
        "class": run.label,
        "scale": recipe.scale,
        "samples": run.samples,
        "cell": recipe.cell,
        "votes": recipe.votes,
        "k": recipe.votes,
        "failure_probability": FAILURE_PROBABILITY,
        "class_radius": run.class_radius,
        "radii_in_scales": RADII_IN_SCALES,
        "certified_overlap": overlaps,
        "certified_regions": {name: round(share, 4) for name, share in run.certified.items()},
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--photographs", type=Path, help="default: the ten of bench.photographs")
    parser.add_argument("--attributions", nargs="+", default=["grad_cam", "gradient"])
    parser.add_argument("--kept", type=Path, required=True, help="folder of drawn samples")
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--scales", type=float, nargs="+", default=[0.1, 0.25, 0.5])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench")
    parser.add_argument(
        "--there",
        action="store_true",
        help="draw nothing: leave out photographs where not enough is there",
    )
    parser.add_argument("--page", action="store_true", help="only write page and picture again")
    return parser.parse_args()


if __name__ == "__main__":
    main()
