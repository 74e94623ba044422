"""What more samples buy: certified and attack-tested overlap against samples and seconds.

    python -m bench.tradeoff --kept FOLDER               draws what is missing: hours
    python -m bench.tradeoff --kept FOLDER --there       photographs of which all is drawn already
    python -m bench.tradeoff --page                      page and picture again, from the JSON

Every number of samples is a prefix of the same samples (`bench.drawn`), and every row of a number
comes from the same prefix. Rows with fixed bounds take the number as chosen beforehand. What
attacks left is read from tradeoff-attacks-MODEL-ATTRIBUTION.json, where that is there: see
`bench.tradeoff_attacks`. Writes tradeoff.json and .png, and docs/tradeoff.md.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from bench import tradeoff_page, tradeoff_picture
from bench.competitors import compared, share_kept
from bench.drawn import Drawn, Subject, drawn, there
from bench.photographs import photographs, ten
from bench.provenance import ROOT, provenance
from bench.tradeoff_attacks import top
from certify.plan import AttributionName
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

NUMBERS = (50, 100, 200, 400, 1000, 2000, 5000, 10_000)
RADII_IN_SCALES = (0.1, 0.3, 0.6)
SOURCES: tuple[tuple[str, AttributionName], ...] = (
    ("efficientnet-lite0", "grad_cam"),
    ("efficientnet-lite0", "gradient"),
    ("digits-tiny", "gradient"),
)
ROWS = ("best", "anytime", "levine2019", "renyi", "liu2021")
SCALE, TIMED = 0.25, 32
Attacked = Mapping[tuple[str, float], list[int]]


@dataclass(frozen=True)
class Run:
    """One picture and number of samples: the share of the top k kept within each radius, by row.

    attacked: what the worst attack found left of the reported, by radius in scales.
    """

    picture: str
    k: int
    samples: int
    overlaps: Mapping[str, list[float]]
    attacked: Mapping[float, float]


def main() -> None:
    """Certify every prefix, print, write."""
    chosen, console = _arguments(), Console()
    numbers = chosen.out / "tradeoff.json"
    if not chosen.page:
        torch.set_num_threads(1)
        with Progress(console=console, transient=True) as progress:
            curves = [_curve(*source, chosen, progress) for source in SOURCES]
        record = {**provenance(), "numbers": NUMBERS, "radii_in_scales": RADII_IN_SCALES}
        record["curves"] = [curve for curve in curves if curve["runs"]]
        numbers.write_text(json.dumps(record, indent=1) + "\n")
    record = json.loads(numbers.read_text())
    tradeoff_picture.plot(record).savefig(chosen.out / "tradeoff.png", dpi=100)
    (chosen.out.parent / "tradeoff.md").write_text(tradeoff_page.page(record))
    console.print(f"wrote tradeoff.json and .png to {chosen.out}, tradeoff.md beside it")


def _curve(
    model: str, attribution: AttributionName, chosen: argparse.Namespace, progress: Progress
) -> dict[str, Any]:
    sampler = Sampler(Network(card(model)))
    attacks = _attacks(chosen.out / f"tradeoff-attacks-{model}-{attribution}.json")
    runs = []
    for kept in _drawn(sampler, attribution, chosen, progress):
        for number in NUMBERS:
            runs.append(measure(*kept, number, attacks["by_radius"]))
        progress.console.print(f"{model}, {attribution}: {kept[0]}")
    return {
        "model": model,
        "attribution": attribution,
        "scale": SCALE,
        "samples_per_cpu_second": _rate(sampler, attribution, chosen) if runs else 0,
        "attacks": attacks["record"],
        "runs": [asdict(run) for run in runs],
    }


def measure(picture: str, kept: Drawn, samples: int, attacks: Attacked) -> Run:
    """Every row of the first samples of one picture."""
    rows = compared(kept, samples)
    k, scale = rows.plan.recipe.votes, rows.plan.recipe.scale
    overlaps = {
        name: [round(share_kept(rows.radii[name], r * scale, k), 4) for r in RADII_IN_SCALES]
        for name in ROWS
    }
    reported = set(rows.proven.reported)
    attacked = {
        radius: round(len(reported & set(top(np.array(counts), k))) / k, 4)
        for (name, radius), counts in attacks.items()
        if name == picture
    }
    return Run(picture, k, samples, overlaps, attacked)


def _attacks(path: Path) -> dict[str, Any]:
    """What attacks found: votes at the worst by picture and radius, and all but these votes."""
    if not path.exists():
        return {"by_radius": {}, "record": None}
    record = json.loads(path.read_text())
    by_radius = {(row["picture"], row["radius_in_scales"]): row["counts"] for row in record["rows"]}
    for row in record["rows"]:
        del row["counts"]
    return {"by_radius": by_radius, "record": record}


def _drawn(
    sampler: Sampler, attribution: AttributionName, chosen: argparse.Namespace, progress: Progress
) -> Iterator[tuple[str, Drawn]]:
    """The most samples of each picture; of photographs, if so chosen, only where they are there."""
    for file in _files(sampler, chosen):
        subject = Subject(file, attribution, SCALE)
        is_photograph = sampler.card.name != "digits-tiny"
        if chosen.there and is_photograph and there(sampler, subject, chosen.kept) < NUMBERS[-1]:
            continue
        yield file.stem, drawn(sampler, subject, NUMBERS[-1], chosen.kept, progress)


def _files(sampler: Sampler, chosen: argparse.Namespace) -> list[Path]:
    if sampler.card.name == "digits-tiny":
        return photographs(ROOT / "tests" / "data" / "digits")[:4]
    return photographs(chosen.photographs) if chosen.photographs else ten(chosen.kept / "photos")


def _rate(sampler: Sampler, attribution: AttributionName, chosen: argparse.Namespace) -> float:
    """Samples in a CPU second of one core, the best of three."""
    picture, plan = Subject(_files(sampler, chosen)[0], attribution, SCALE).planned(sampler)
    spent = []
    for _ in range(4):
        began = time.process_time()
        sampler.draw(plan, picture, 0, TIMED)
        spent.append(time.process_time() - began)
    # The first prepares what the others find prepared.
    return round(TIMED / min(spent[1:]), 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kept", type=Path, help="folder of drawn samples")
    parser.add_argument("--photographs", type=Path, help="default: the ten of bench.photographs")
    parser.add_argument("--there", action="store_true", help="draw no photographs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench")
    parser.add_argument("--page", action="store_true", help="only write page and picture again")
    chosen = parser.parse_args()
    if not (chosen.page or chosen.kept):
        parser.error("--kept names the folder of drawn samples; it must be given unless --page is")
    return chosen


if __name__ == "__main__":
    main()
