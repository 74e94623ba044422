"""Attack what is certified: the smallest overlap seen beside the certified one.

    python -m bench.soundness                              digits, a few minutes
    python -m bench.soundness --model efficientnet-lite0 --photographs examples/photos --take 1 \
        --shares 0.5 --multiples 1 16 --samples 400 --steps 20 --draws 8 --restarts 10
    python -m bench.soundness ... --attribution gradient --multiples 1 64 --steps 12 --draws 6
    python -m bench.soundness ... --multiples 256 --restarts 2 --add      more rows, fewer starts
    python -m bench.soundness --page                       docs/soundness.md again, from all JSON

For each picture, claim and multiple of its radius the three attacks of Ghorbani et al. (2019),
adapted to smoothed maps, are run with restarts. Inside (up to 1 radius) no overlap below the
certified one may be seen; outside the same attacks should break the claim at some point, or they
test nothing. Base maps are the model card's, or --attribution. Writes soundness-MODEL.json, or
soundness-MODEL-ATTRIBUTION.json where that is not the card's, and docs/soundness.md.
"""

import argparse
import json
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from bench import soundness_page
from bench.photographs import photographs
from bench.planned import planned
from bench.provenance import ROOT, provenance
from certify.certificate import Certificate, certify
from certify.plan import AttributionName, Plan, Question
from models.attacks.aims import AIMS
from models.attacks.smoothed import Attack, attack
from models.evaluation.scores import ranking
from models.images import digest
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

SHARES = [0.75, 0.5, 0.25]
MULTIPLES = [0.5, 1.0, 4.0, 16.0]
KEY, OTHER_KEY = "affd0000000000000000000000000002", "affd0000000000000000000000000003"


@dataclass(frozen=True)
class Subject:
    """A picture and what is certified of it."""

    name: str
    picture: NDArray[np.uint8]
    plan: Plan
    certificate: Certificate


def main() -> None:
    """Certify, attack, print, write."""
    chosen, console = _arguments(), Console()
    if not chosen.page:
        record = _measured(chosen, console)
        default = card(chosen.model).defaults.attribution
        of_card = record["attribution"] == default
        name = chosen.model if of_card else f"{chosen.model}-{record['attribution']}"
        chosen.out.mkdir(parents=True, exist_ok=True)
        path = chosen.out / f"soundness-{name}.json"
        if chosen.add:
            record = together(json.loads(path.read_text()), record)
        path.write_text(json.dumps(record, indent=1) + "\n")
        console.print(f"{record['claims_broken_inside']} claims broken inside; wrote {path}")
    page = soundness_page.page(soundness_page.records(chosen.out))
    (chosen.out.parent / "soundness.md").write_text(page)


def _measured(chosen: argparse.Namespace, console: Console) -> dict[str, Any]:
    """The record of all pictures, claims and attacks."""
    sampler = Sampler(Network(card(chosen.model)))
    attribution = chosen.attribution or sampler.card.defaults.attribution
    files = photographs(chosen.photographs)[: chosen.take]
    rows: list[dict[str, Any]] = []
    with Progress(console=console, transient=True) as progress:
        claims = list(product(chosen.shares, chosen.multiples))
        total = len(files) * len(claims) * len(AIMS) * chosen.restarts
        task = progress.add_task("attacks", total=total)
        for file in files:
            subject = certified(sampler, file, chosen.samples, attribution)
            for share, multiple in claims:
                overlaps = []
                for name, restart in product(sorted(AIMS), range(chosen.restarts)):
                    strength = Attack(chosen.steps, chosen.draws)
                    overlaps.append(
                        worst(sampler, subject, share, multiple, name, restart, strength)
                    )
                    progress.advance(task)
                rows.append(_row(subject, share, multiple, [o for o in overlaps if o is not None]))
                console.print(rows[-1], soft_wrap=True)
    record = {**provenance(), "model": chosen.model, "attribution": attribution}
    record |= {"samples": chosen.samples, "steps": chosen.steps}
    record |= {"draws": chosen.draws, "restarts": chosen.restarts}
    broken = [row for row in rows if row["multiple"] <= 1 and row["worst"] < row["certified"]]
    return record | {
        "claims_broken_inside": len(broken),
        "rows": [row for row in rows if row["radius"]],
    }


def together(before: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """The record from before with the rows of another that differs in the number of starts alone.

    Raises ValueError where it differs in more.
    """
    for name in ("model", "attribution", "samples", "steps", "draws"):
        if before[name] != record[name]:
            was, now = before[name], record[name]
            raise ValueError(f"{name} is {now}; the record to add to has {was}, so be that asked")
    known = [{"starts": before["restarts"], **row} for row in before["rows"]]
    added = [{**row, "starts": record["restarts"]} for row in record["rows"]]
    broken = before["claims_broken_inside"] + record["claims_broken_inside"]
    return before | {"rows": [*known, *added], "claims_broken_inside": broken}


def certified(sampler: Sampler, file: Path, samples: int, attribution: AttributionName) -> Subject:
    """The picture with its certificate at the model card's defaults."""
    picture, plan = planned(sampler, file, sampler.card.defaults.scale, KEY, attribution)
    asked = Question(plan.recipe.votes, samples, 0.001, "anytime", "2")
    evidence = sampler.draw(plan, picture, 0, samples)
    return Subject(file.stem, picture, plan, certify(plan, evidence, asked))


def worst(
    sampler: Sampler,
    subject: Subject,
    share: float,
    multiple: float,
    aim: str,
    restart: int,
    strength: Attack,
) -> int | None:
    """How many of the reported one attack leaves in the top k; None if nothing is claimed."""
    proven, plan = subject.certificate, subject.plan
    radius = multiple * proven.radius_for(round(share * proven.k))
    if not radius:
        return None
    aimed_at = AIMS[aim](plan, proven.reported)
    picture = attack(sampler.network, plan, subject.picture, aimed_at, radius, strength, restart)
    there = replace(plan, image=digest(picture), key=OTHER_KEY)
    counts = sampler.draw(there, picture, 0, proven.prediction.samples).counts
    return len(set(proven.reported) & set(ranking(counts)[: proven.k].tolist()))


def _row(subject: Subject, share: float, multiple: float, overlaps: list[int]) -> dict[str, Any]:
    kept = round(share * subject.certificate.k)
    return {
        "picture": subject.name,
        "k": subject.certificate.k,
        "certified": kept,
        "radius": subject.certificate.radius_for(kept),
        "multiple": multiple,
        "worst": min(overlaps, default=subject.certificate.k),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="digits-tiny")
    parser.add_argument("--attribution", help="default: the model card's")
    parser.add_argument("--photographs", type=Path, default=ROOT / "tests" / "data" / "digits")
    parser.add_argument("--take", type=int, default=4, help="pictures, by name")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of the top kept")
    parser.add_argument("--multiples", type=float, nargs="+", default=MULTIPLES, help="of radii")
    parser.add_argument("--samples", type=int, default=1000, help="of certificate and judgement")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--draws", type=int, default=32, help="noise draws in each step")
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench")
    parser.add_argument("--add", action="store_true", help="rows to the record that is there")
    parser.add_argument("--page", action="store_true", help="only write the page again")
    return parser.parse_args()


if __name__ == "__main__":
    main()
