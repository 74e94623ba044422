"""What certificates of DANCE maps prove, beside those of gradient maps: same pictures, same noise.

    python -m bench.decoys_certified     about ten minutes of one core

Writes docs/bench/decoys-certified.json. Time is the processor's, of one thread.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from bench.planned import planned
from bench.provenance import ROOT, provenance
from certify.certificate import certify
from certify.evidence import Evidence
from certify.plan import Plan, Question
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

KEY = "affd0000000000000000000000000005"
SUBJECTS = (
    ("digits-tiny", "tests/data/digits/3.png", 1000),
    ("efficientnet-lite0", "examples/photos/coffee.jpg", 200),
)
SHARES = (0.25, 0.5, 0.75)


def main() -> None:
    """Draw, certify, print, write."""
    chosen, console, rows = _arguments(), Console(), []
    torch.set_num_threads(1)
    with Progress(console=console) as progress:
        for model, photograph, samples in SUBJECTS:
            sampler = Sampler(Network(card(model)))
            scale = sampler.card.defaults.scale
            picture, plan = planned(sampler, ROOT / photograph, scale, KEY)
            reported: tuple[int, ...] = ()
            for name in ("gradient", "dance"):
                task = progress.add_task(f"{model} {name}", total=samples)
                about = replace(plan, recipe=replace(plan.recipe, attribution=name))
                evidence, began = Evidence.empty(plan.features), time.process_time()
                while evidence.samples < samples:
                    stop = min(evidence.samples + 8 * plan.recipe.lanes, samples)
                    part = sampler.draw(about, picture, evidence.samples, stop)
                    evidence = evidence.merge(part)
                    progress.update(task, completed=evidence.samples)
                seconds = time.process_time() - began
                row, best = _row(about, evidence, seconds)
                reported = reported or best
                row |= {"picture": Path(photograph).stem}
                row |= {"shared_with_gradient": len(set(best) & set(reported))}
                rows.append(row)
                console.print(row, soft_wrap=True)
    record = {**provenance(), "failure_probability": 0.001, "norm": "2", "rows": rows}
    chosen.out.write_text(json.dumps(record, indent=1) + "\n")


def _row(plan: Plan, evidence: Evidence, seconds: float) -> tuple[dict[str, Any], tuple[int, ...]]:
    question = Question(plan.recipe.votes, evidence.samples, 0.001, "anytime", "2")
    proven = certify(plan, evidence, question)
    shares: NDArray[np.float64] = np.sort(evidence.counts)[::-1] / evidence.samples
    row = {
        "model": plan.model,
        "attribution": plan.recipe.attribution,
        "scale": plan.recipe.scale,
        "samples": evidence.samples,
        "k": proven.k,
        "radius": {str(share): proven.radius_for(round(share * proven.k)) for share in SHARES},
        "mean_votes_of_reported": float(shares[: proven.k].mean()),
        "mean_votes_of_others": float(shares[proven.k :].mean()),
        "seconds_per_sample": seconds / evidence.samples,
    }
    return row, proven.reported


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    out = ROOT / "docs" / "bench" / "decoys-certified.json"
    parser.add_argument("--out", type=Path, default=out)
    return parser.parse_args()


if __name__ == "__main__":
    main()
