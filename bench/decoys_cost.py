"""What a DANCE map costs: both schemes whole, and what it would cost decoy by decoy.

    python -m bench.decoys_cost --into FOLDER     about twelve minutes of one core
    python -m bench.decoys_cost --into FOLDER --no-measuring    from the pieces that are there

Both maps are made from beginning to end, in pieces that are kept in FOLDER, so that a run may be
cut; empty it when the code has changed. Of a map that lacks pieces the record says how many decoys
were measured, and its seconds are those of all at the mean of these. One decoy at a time means one
patch in each search and one picture in each pass; a decoy so made follows each piece of the
published scheme, so that whatever else the machine does slows both alike. Time is the processor's,
of one thread that keeps its memory as a worker's does. Writes docs/bench/decoys-cost.json.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from bench.planned import fitted
from bench.provenance import ROOT, provenance
from models.attribution.gradient import gradient
from models.decoys.dance import explained
from models.decoys.finding import Finder
from models.decoys.part import Part
from models.decoys.records import Records
from models.decoys.search import Search
from models.images import digest
from models.loading import Network
from models.registry import card
from service.pool.allocator import keep_memory

PIECE = 400  # decoys at least, but for the last piece
SECONDS = ("finding", "mapping", "alone")
NUMBERS = ROOT / "docs" / "bench" / "decoys-cost.json"


@dataclass(frozen=True, eq=False)
class Subject:
    """Of which network, picture and class the map is."""

    network: Network
    picture: NDArray[np.uint8]
    target: int


@dataclass(frozen=True, eq=False)
class Piece:
    """Some decoys' part of a map. finding, mapping: seconds for search with checks, and for maps;
    alone: for one decoy by itself, from nothing but the clean picture's layer."""

    part: Part
    finding: float
    mapping: float
    alone: float


def main() -> None:
    """Measure what is not kept yet, print, write."""
    chosen, console = _arguments(), Console()
    keep_memory()
    torch.set_num_threads(1)
    network = Network(card(chosen.model))
    picture = fitted(chosen.photograph, network.card)
    target = int(network(torch.from_numpy(picture[None]).float()).argmax())
    subject, layer = Subject(network, picture, target), network.card.defaults.layer
    record = {**provenance(), "model": chosen.model, "picture": chosen.photograph.stem}
    chosen.into.mkdir(parents=True, exist_ok=True)
    with Progress(console=console) as progress:
        for scheme in ("lattice", "patches"):
            finder = Finder(network, picture, Search(scheme, layer))
            task, pieces = progress.add_task(scheme, total=finder.count), []
            for start, stop in cuts(finder):
                path = _file(chosen.into, subject, finder, start, stop)
                if not (path.exists() or chosen.no_measuring):
                    keep(path, measured(subject, finder, start, stop))
                pieces += [read(path)] if path.exists() else []
                progress.update(task, completed=stop)
            record[scheme] = scheme_costs(finder, pieces)
    record["one_by_one"] = singly(pieces, finder.count)
    record["speed_up"] = record["one_by_one"]["seconds"] / record["patches"]["seconds"]
    chosen.out.write_text(json.dumps(record, indent=1) + "\n")
    console.print_json(json.dumps(record))


def cuts(finder: Finder) -> Iterator[tuple[int, int]]:
    """The ends of each piece: whole searches, so that none is run twice where a run was cut."""
    start = stop = 0
    for first in range(0, finder.lattice.groups, finder.lanes):
        groups = range(first, min(first + finder.lanes, finder.lattice.groups))
        held = (len(finder.lattice.members(group)) for group in groups)
        stop += len(groups) if finder.search.scheme == "lattice" else sum(held)
        if stop - start >= PIECE or stop == finder.count:
            yield start, stop
            start = stop


def _file(into: Path, subject: Subject, finder: Finder, start: int, stop: int) -> Path:
    search, name = finder.search, subject.network.card.name
    about = f"{name}-{digest(subject.picture)[:16]}-{search.scheme}-{search.layer}"
    return into / f"{about}-{start}-{stop}.npz"


def keep(path: Path, piece: Piece) -> None:
    """Write a piece, so that it is there as a whole or not at all."""
    arrays = asdict(piece.part.records) | {"highest": piece.part.highest}
    seconds = {name: np.array(getattr(piece, name)) for name in SECONDS}
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, lowest=piece.part.lowest, **arrays, **seconds)  # type: ignore[arg-type]
    partial.rename(path)


def read(path: Path) -> Piece:
    """A piece that was kept."""
    with np.load(path) as held:
        records = Records(**{field.name: held[field.name] for field in fields(Records)})
        part = Part(held["highest"], held["lowest"], records)
        return Piece(part, *(float(held[name]) for name in SECONDS))


def measured(subject: Subject, finder: Finder, start: int, stop: int) -> Piece:
    """Make a piece, and one decoy from its middle by itself."""
    began = time.process_time()
    found = list(finder.find(start, stop))
    there = time.process_time()
    part = explained(subject.network, found, gradient, subject.target)
    done = time.process_time()
    by_itself = alone(subject, finder.search, (start + stop) // 2)
    return Piece(part, there - began, done - there, by_itself)


def alone(subject: Subject, search: Search, number: int) -> float:
    """Seconds for one decoy of the published scheme with a search and a pass of its own."""
    network = copy(subject.network)
    network.card = replace(network.card, lanes=1)
    finder = Finder(network, subject.picture, replace(search, scheme="patches"))
    finder.lattice = replace(finder.lattice, spacing=finder.lattice.along * search.stride)
    began = time.process_time()
    explained(network, finder.find(number, number + 1), gradient, subject.target)
    return time.process_time() - began


def scheme_costs(finder: Finder, pieces: Sequence[Piece]) -> dict[str, Any]:
    """What a whole map costs, and what the decoys measured are like."""
    known = Part.merged(piece.part for piece in pieces).records
    share = len(known) / finder.count
    finding = sum(piece.finding for piece in pieces) / share
    mapping = sum(piece.mapping for piece in pieces) / share
    return {
        "search": asdict(finder.search),
        "decoys": finder.count,
        "measured_decoys": len(known),
        "patches_each": finder.lattice.patches / (finder.count / 2),
        "seconds": finding + mapping,
        "seconds_of_finding": finding,
        "seconds_of_maps": mapping,
        "null": known.null,
        "changed_patches": int(known.patches.sum()),
        "repaired_patches": int(known.repaired.sum()),
        "gain_of_a_patch": float(known.gains.sum() / known.patches.sum()),
        "largest_change": int(known.linf.max()),
        "largest_distance_in_deviations": float(known.distances.max() / finder.deviation),
    }


def singly(pieces: Sequence[Piece], count: int) -> dict[str, Any]:
    """What all decoys of the published scheme would cost at the mean of those made alone."""
    seconds = [piece.alone for piece in pieces]
    return {
        "measured_decoys": len(seconds),
        "seconds_each": sum(seconds) / len(seconds),
        "slowest": max(seconds),
        "fastest": min(seconds),
        "seconds": sum(seconds) / len(seconds) * count,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="efficientnet-lite0")
    photograph = ROOT / "examples" / "photos" / "coffee.jpg"
    parser.add_argument("--photograph", type=Path, default=photograph)
    parser.add_argument("--into", type=Path, default=ROOT / "out" / "decoys-cost")
    parser.add_argument("--no-measuring", action="store_true", help="only what is there")
    parser.add_argument("--out", type=Path, default=NUMBERS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
