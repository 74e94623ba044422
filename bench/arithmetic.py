"""What the arithmetic of a certificate costs, in CPU seconds on one core, by law and route.

    python -m bench.arithmetic                 all laws, 784 and 50 176 features, 10 000 samples
    python -m bench.arithmetic --drawn 64      from fewer real samples
    python -m bench.arithmetic --page          the page again, from the JSON

Votes are drawn for a bundled photograph, in groups of eight samples, with Gaussian noise; 10 000
samples are these resampled by address. The other laws are timed with the same votes, since only
counts and the law's name decide the work. Every time is that of a process of its own, so nothing is
remembered from another, and the least of three; the table of the noise is part of it. How many
others wanted the processor is noted, since they slow one another down. Writes arithmetic.json and
docs/arithmetic.md.
"""

import argparse
import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bench import arithmetic_page
from bench.clock import Clock
from bench.parts import parts
from bench.planned import planned
from bench.provenance import ROOT, provenance
from certify.certificate import certify
from certify.evidence import VOTES_FEATURES, Evidence
from certify.plan import Plan, Question
from certify.randomness import words
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

PHOTOGRAPH, MODEL, KEY = "coffee.jpg", "efficientnet-lite0", "affd0000000000000000000000000001"
SAMPLES, DRAWN, GROUP = 10_000, 256, 8
REPEATS, DIGITS = 3, 4
CELLS, VOTE_FRACTION, SCALE = (8, 1), 0.25, 0.25
LAWS = (("gaussian", 2), ("laplace", 1), ("generalized_normal", 4), ("generalized_normal", 12))
CONFIDENCES, NORM, FAILURE_PROBABILITY = ("anytime", "fixed"), "2", 0.001
# Seconds that a certificate of so many features may take.
PROMISED = {784: 1.0, 50_176: 10.0}


@dataclass(frozen=True)
class Row:
    """CPU seconds of a certificate, the least of three runs, and of its parts in one more.

    counts: how many of the features' counts differ, which is what bounds are computed for.
    """

    features: int
    law: str
    shape: int
    confidence: str
    counts: int
    seconds: float
    parts: dict[str, float]


def main() -> None:
    """Draw, measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--drawn", type=int, default=DRAWN, help="real samples, a multiple of 8")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    chosen = parser.parse_args()
    numbers = chosen.out / "arithmetic.json"
    if not chosen.page:
        numbers.write_text(json.dumps(_measured(chosen.drawn), indent=1) + "\n")
    page = arithmetic_page.page(json.loads(numbers.read_text()))
    (chosen.out.parent / "arithmetic.md").write_text(page)


def _measured(drawn: int) -> dict[str, Any]:
    """The record of all laws, sizes and confidences."""
    console, rows = Console(), []
    for cell in CELLS:
        plan, evidence = scaled_up(cell, drawn)
        for law, shape in LAWS:
            recipe = replace(plan.recipe, law=law, shape=shape)
            for confidence in CONFIDENCES:
                rows.append(row(replace(plan, recipe=recipe), evidence, confidence))
                console.print(_line(rows[-1]), soft_wrap=True)
    return {
        **provenance(),
        "photograph": PHOTOGRAPH,
        "model": MODEL,
        "samples": SAMPLES,
        "drawn": drawn,
        "norm": NORM,
        "promised_seconds": PROMISED,
        "repeats": REPEATS,
        "load": round(os.getloadavg()[0], 1),
        "rows": [asdict(row) for row in rows],
    }


def scaled_up(cell: int, drawn: int) -> tuple[Plan, Evidence]:
    """Real votes of `drawn` samples in groups of eight, and SAMPLES of them by address."""
    sampler = Sampler(Network(card(MODEL)))
    picture, plan = planned(sampler, ROOT / "examples" / "photos" / PHOTOGRAPH, SCALE, KEY)
    features = (sampler.card.size // cell) ** 2
    recipe = replace(plan.recipe, cell=cell, votes=int(VOTE_FRACTION * features))
    plan = replace(plan, recipe=recipe)
    starts = range(0, drawn, GROUP)
    groups = [sampler.draw(plan, picture, start, start + GROUP) for start in starts]
    picked = (words(int(KEY, 16), 0, 0, SAMPLES // GROUP) % len(groups)).astype(int).tolist()
    taken = [groups[place] for place in picked]
    votes = None
    if features <= VOTES_FEATURES:
        votes = np.concatenate([group.votes for group in taken if group.votes is not None])
    counts = np.sum([group.counts for group in taken], axis=0)
    predictions = np.concatenate([group.predictions for group in taken])
    return plan, Evidence(((0, SAMPLES),), features, votes, counts, predictions)


def row(plan: Plan, evidence: Evidence, confidence: str) -> Row:
    """Certificates each in a fresh process, the parts of one in another."""
    question = Question(plan.recipe.votes, SAMPLES, FAILURE_PROBABILITY, confidence, NORM)
    runs = [_alone(_whole, plan, evidence, question)["certify"] for _ in range(REPEATS)]
    each = _alone(_parts, plan, evidence, question)
    different = len(np.unique(evidence.counts))
    recipe = plan.recipe
    return Row(plan.features, recipe.law, recipe.shape, confidence, different, min(runs), each)


def _alone(work: Callable[..., dict[str, float]], *given: Any) -> dict[str, float]:
    # Forked from a process that has computed no certificate.
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as fresh:
        return fresh.submit(work, *given).result()


def _whole(plan: Plan, evidence: Evidence, question: Question) -> dict[str, float]:
    clock = Clock()
    with clock("certify"):
        certify(plan, evidence, question)
    return clock.rounded(DIGITS)


def _parts(plan: Plan, evidence: Evidence, question: Question) -> dict[str, float]:
    return parts(plan, evidence, question).rounded(DIGITS)


def _line(row: Row) -> str:
    spent = ", ".join(f"{name} {seconds:.2f}" for name, seconds in row.parts.items())
    head = f"{row.features:6} features  {row.law} {row.shape}, {row.confidence}"
    return f"{head}: {row.seconds:.2f} s  ({spent})"


if __name__ == "__main__":
    main()
