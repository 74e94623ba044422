"""Which base attributions certify well: the same pictures, noise and number of samples for each.

    python -m bench.attributions --into FOLDER              draws what FOLDER lacks, writes the page
    python -m bench.attributions --into FOLDER --no-drawing  from what is there
    python -m bench.attributions --page-only                 docs/attributions.md from the numbers

Samples are kept in FOLDER in pieces, so that a run may be cut: a table holds the attributions whose
samples of all its pictures are there. Attributions take turns, picture by picture, so that whatever
else the machine does slows all of them alike. Writes docs/bench/attributions.json and .png. Time is
the processor's, of one thread: others share it. DANCE has benches of its own.
"""

import argparse
import json
import re
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from scipy.special import ndtri

from bench.attributions_page import ELSEWHERE, page
from bench.attributions_picture import picture
from bench.certificates import single_votes
from bench.photographs import photographs
from bench.planned import planned
from bench.provenance import ROOT, provenance
from certify.certificate import certify
from certify.evidence import Evidence
from certify.noise import draw, table
from certify.plan import Plan, Question
from models.attribution.bases import ATTRIBUTIONS
from models.attribution.methods import METHODS
from models.features import magnitude, pool, vote
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

KEY = "affd0000000000000000000000000001"
FAILURE_PROBABILITY = 0.001
RADII_IN_SCALES = (0.1, 0.3, 0.6)
THRESHOLD = 0.75
NUMBERS, PAGE = ROOT / "docs" / "bench" / "attributions.json", ROOT / "docs" / "attributions.md"
PICTURE = NUMBERS.with_suffix(".png")
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Table:
    """Attributions of at most so many passes, or only some, on these pictures, at so many samples;
    cell: side of a feature in pixels, the card's if 0."""

    model: str
    folder: str
    pictures: tuple[str, ...]
    samples: int
    passes: int
    cell: int = 0
    only: tuple[str, ...] = ()


DIGITS = tuple("0123456789")
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
TABLES = (
    Table("digits-tiny", "tests/data/digits", DIGITS, samples=1000, passes=1000),
    Table("efficientnet-lite0", "examples/photos", PHOTOGRAPHS, samples=48, passes=1000),
    Table("efficientnet-lite0", "examples/photos", PHOTOGRAPHS, samples=192, passes=6),
    Table(
        "efficientnet-lite0",
        "examples/photos",
        PHOTOGRAPHS,
        samples=96,
        passes=6,
        cell=32,
        only=("gradient", "grad_cam"),
    ),
)
PIECES = {"digits-tiny": 1000, "efficientnet-lite0": 48}


@dataclass(frozen=True, eq=False)
class Kept:
    """The samples of a plan from the first on; seconds: of the processor for each sample."""

    votes: NDArray[np.bool_]
    predictions: NDArray[np.int32]
    seconds: float
    other_class: float


@dataclass(frozen=True)
class Row:
    """What one attribution proves of one picture.

    overlap: share of the reported that provably stays, by radius. important, unimportant: shares of
    all features whose majority label is proven at scale·Φ⁻¹(0.75). other_class: share of the votes
    that would be cast for the runner-up class too. left: share of the class's probability that is
    left when the reported cells of the clean picture are covered with the mean colour. seconds: of
    the processor, for 1000 samples.
    """

    picture: str
    label: str
    attribution: str
    seconds: float
    overlap: list[float]
    important: float
    unimportant: float
    other_class: float
    left: float
    shares: list[float]


def main() -> None:
    """Draw, certify, write."""
    chosen, console = _arguments(), Console()
    if not chosen.page_only:
        torch.set_num_threads(1)
        tables = [{**asdict(table), "rows": []} for table in TABLES]
        for table, record in zip(TABLES, tables, strict=True):
            sampler = Sampler(Network(card(table.model)))
            subjects = _subjects(sampler, table)
            for image, plan in () if chosen.no_drawing else subjects:
                for name in _attributions(table):
                    about = _about(plan, name)
                    _draw(sampler, about, image, table.samples, chosen.into, console)
            record["rows"] = _rows(sampler, table, subjects, chosen.into)
        measured = {**provenance(), "remark": chosen.remark, "radii_in_scales": RADII_IN_SCALES}
        measured |= {"tables": tables}
        NUMBERS.write_text(_text(measured))
    record = json.loads(NUMBERS.read_text())
    picture(record, ROOT).savefig(PICTURE, dpi=80)
    PAGE.write_text(page(record))
    console.print(f"wrote {PAGE.relative_to(ROOT)}")


def _rows(
    sampler: Sampler, table: Table, subjects: list[tuple[Picture, Plan]], into: Path
) -> list[dict[str, Any]]:
    """A row for each attribution and picture, of the attributions that were drawn for all."""
    rows = []
    for name in _attributions(table):
        kept = [_kept(_about(plan, name), into) for _, plan in subjects]
        if min(len(each.votes) for each in kept) < table.samples:
            continue
        for stem, (image, plan), each in zip(table.pictures, subjects, kept, strict=True):
            rows.append(asdict(_row(sampler, _about(plan, name), image, stem, each, table)))
    return rows


def _text(record: dict[str, Any]) -> str:
    """The record as JSON, each list of plain values on one line."""
    spread = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", spread)


def _attributions(table: Table) -> list[str]:
    """Those of a table, the cheapest first."""
    known = table.only or card(table.model).attributions
    names = [name for name in known if name not in ELSEWHERE]
    cheap = [name for name in names if METHODS[name].passes <= table.passes]
    return sorted(cheap, key=lambda name: METHODS[name].passes)


def _subjects(sampler: Sampler, table: Table) -> list[tuple[Picture, Plan]]:
    """The pictures of a table, each with its plan by the gradient."""
    files = {file.stem: file for file in photographs(ROOT / table.folder)}
    scale = sampler.card.defaults.scale
    made = [planned(sampler, files[name], scale, KEY) for name in table.pictures]
    return [(image, _in_cells(plan, table.cell or plan.recipe.cell)) for image, plan in made]


def _in_cells(plan: Plan, cell: int) -> Plan:
    """The plan with other cells, of which the same share is voted for."""
    features = (plan.height // cell) * (plan.width // cell)
    votes = plan.recipe.votes * features // plan.features
    return replace(plan, recipe=replace(plan.recipe, cell=cell, votes=votes))


def _about(plan: Plan, attribution: str) -> Plan:
    return replace(plan, recipe=replace(plan.recipe, attribution=attribution))


def _file(plan: Plan, start: int, into: Path) -> Path:
    recipe = plan.recipe
    name = f"{plan.model}-{recipe.attribution}-{plan.image[:16]}-{recipe.cell}-{start}.npz"
    return into / name


def _draw(
    sampler: Sampler, plan: Plan, image: Picture, samples: int, into: Path, console: Console
) -> None:
    """Draw and keep what is not there yet, piece by piece."""
    into.mkdir(parents=True, exist_ok=True)
    while (start := len(_kept(plan, into).votes)) < samples:
        began = time.process_time()
        evidence = sampler.draw(plan, image, start, start + PIECES[plan.model])
        seconds = time.process_time() - began
        partial = _file(plan, start, into).with_suffix(".partial.npz")
        np.savez(
            partial,
            votes=single_votes(evidence),
            predictions=evidence.predictions,
            seconds=seconds,
            other_class=0.0 if start else _other_class(sampler, plan, image),
        )
        partial.rename(_file(plan, start, into))
        console.print(f"{_file(plan, start, into).stem}: drawn")


def _kept(plan: Plan, into: Path) -> Kept:
    """What is there of a plan."""
    votes = [np.zeros((0, plan.features), bool)]
    predictions, seconds, other_class, start = [np.zeros(0, np.int32)], 0.0, 0.0, 0
    while _file(plan, start, into).exists():
        with np.load(_file(plan, start, into)) as piece:
            votes.append(piece["votes"])
            predictions.append(piece["predictions"])
            seconds += float(piece["seconds"])
            other_class += float(piece["other_class"])
            start += len(piece["votes"])
    each = seconds / max(start, 1)
    return Kept(np.concatenate(votes), np.concatenate(predictions), each, other_class)


def _other_class(sampler: Sampler, plan: Plan, image: Picture) -> float:
    """The share of the first samples' votes that the runner-up class would get too."""
    lanes = plan.recipe.lanes
    law, key = table(plan.recipe.noise), int(plan.key, 16)
    noise = [draw(law, key, sample, plan.entries).reshape(image.shape) for sample in range(lanes)]
    noisy = torch.from_numpy(image + np.stack(noise)).float()
    attribution, votes = ATTRIBUTIONS[plan.recipe.attribution], []
    for target in (plan.target, _runner_up(sampler, plan, image)):
        maps = attribution(sampler.network, noisy, target)
        votes.append(vote(pool(magnitude(maps), plan.recipe.cell), plan.recipe.votes))
    return float((votes[0] & votes[1]).sum() / votes[0].sum())


def _runner_up(sampler: Sampler, plan: Plan, image: Picture) -> int:
    probabilities = sampler.look(image).probabilities.copy()
    probabilities[plan.target] = 0
    return int(probabilities.argmax())


def _row(sampler: Sampler, plan: Plan, image: Picture, stem: str, kept: Kept, table: Table) -> Row:
    samples, k, scale = table.samples, plan.recipe.votes, plan.recipe.scale
    evidence = Evidence.from_votes(0, kept.votes[:samples], kept.predictions[:samples])
    proven = certify(plan, evidence, Question(k, samples, FAILURE_PROBABILITY, "fixed", "2"))
    labels = proven.labels(scale * float(ndtri(THRESHOLD)))
    return Row(
        picture=stem,
        label=sampler.card.classes[plan.target],
        attribution=plan.recipe.attribution,
        seconds=round(kept.seconds * 1000, 1),
        overlap=[round(proven.at_least_within(r * scale) / k, 4) for r in RADII_IN_SCALES],
        important=round(float((labels > 0).mean()), 4),
        unimportant=round(float((labels < 0).mean()), 4),
        other_class=round(kept.other_class, 4),
        left=round(_left(sampler, plan, image, proven.reported), 4),
        shares=(evidence.counts / samples).round(4).tolist(),
    )


def _left(sampler: Sampler, plan: Plan, image: Picture, reported: tuple[int, ...]) -> float:
    """The share of the class's probability that is left without the reported cells."""
    covered, cell = image.copy(), plan.recipe.cell
    mean = np.round(sampler.card.mean).astype(np.uint8)
    for feature in reported:
        row, column = divmod(feature, plan.columns)
        covered[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = mean
    before, after = (
        float(sampler.look(each, plan.target).probabilities[plan.target])
        for each in (image, covered)
    )
    return after / before


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, default=Path("/tmp/affidavit-attributions"))
    parser.add_argument("--no-drawing", action="store_true", help="only what is there")
    parser.add_argument("--remark", default="", help="what the page says of this run's seconds")
    parser.add_argument("--page-only", action="store_true", help="from the numbers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
