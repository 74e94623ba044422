"""What a DANCE map costs: both schemes, and what it would cost decoy by decoy.

    python -m bench.decoys_cost        about five minutes of one core

The lattice scheme is run whole. Of the patches scheme one search is run and `--decoys` of its
decoys are checked and explained; the rest is the same again and is extrapolated. One decoy at a
time means one patch in each search and one picture in each pass. Time is the processor's, of one
thread.
Writes docs/bench/decoys-cost.json.
"""

import argparse
import json
import time
from collections.abc import Callable
from copy import copy
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from bench.provenance import ROOT, provenance
from models.attribution.gradient import gradient
from models.decoys.dance import dance, filled
from models.decoys.finding import Decoys, Finder
from models.decoys.search import Search
from models.images import decode, fit
from models.loading import Network
from models.registry import card

LARGEST_PICTURE = 1 << 26
Picture = NDArray[np.uint8]
Advance = Callable[[str, int, int], None]


def main() -> None:
    """Measure, print, write."""
    chosen, console = _arguments(), Console()
    torch.set_num_threads(1)
    network = Network(card(chosen.model))
    picture = fit(decode(chosen.photograph.read_bytes(), max_pixels=LARGEST_PICTURE), network.card)
    target = int(network(torch.from_numpy(picture[None]).float()).argmax())
    search = Search("lattice", network.card.defaults.layer)
    record = {**provenance(), "model": chosen.model, "picture": chosen.photograph.stem}
    with Progress(console=console) as progress:
        tasks = {name: progress.add_task(name) for name in ("lattice", "patches", "one by one")}

        def advance(name: str, done: int, total: int) -> None:
            progress.update(tasks[name], completed=done, total=total)

        record |= {"lattice": whole(network, picture, target, search, advance)}
        many = replace(search, scheme="patches")
        record |= {"patches": partly(network, picture, target, many, chosen.decoys, advance)}
        alone = singly(network, picture, target, many, chosen.alone, advance)
        record |= {"one_by_one": alone}
    record["speed_up"] = alone["seconds_each"] / record["patches"]["seconds_each"]
    chosen.out.write_text(json.dumps(record, indent=1) + "\n")
    console.print_json(json.dumps(record))


def whole(
    network: Network, picture: Picture, target: int, search: Search, advance: Advance
) -> dict[str, Any]:
    """A map with the lattice scheme, from beginning to end."""
    began = time.process_time()
    part = dance(network, picture, target, search, report=partial(advance, "lattice"))
    seconds, known = time.process_time() - began, part.records
    finder = Finder(network, picture, search)
    return {
        "search": asdict(search),
        "decoys": len(known),
        "patches_each": finder.lattice.patches / (len(known) / 2),
        "seconds": seconds,
        "null": known.null,
        "changed_patches": int(known.patches.sum()),
        "repaired_patches": int(known.repaired.sum()),
        "gain_of_a_patch": float(known.gains.sum() / known.patches.sum()),
        "largest_change": int(known.linf.max()),
        "largest_distance_in_deviations": float(known.distances.max() / finder.deviation),
    }


def partly(
    network: Network, picture: Picture, target: int, search: Search, decoys: int, advance: Advance
) -> dict[str, Any]:
    """One search of the patches scheme and so many of its decoys; the whole by extrapolation."""
    finder, lanes = Finder(network, picture, search), network.card.lanes
    began = time.process_time()
    found = finder.find(0, min(decoys + finder.lanes, finder.count))
    first = next(found)
    searched = time.process_time() - began
    began = time.process_time()
    checked, null = 0, first.records.null
    for batch in filled(found, lanes):
        _explained(network, batch, target)
        checked, null = checked + len(batch.records), null + batch.records.null
        advance("patches", checked, decoys)
    each = (time.process_time() - began) / checked
    searches = -(-finder.lattice.groups // finder.lanes)
    total = searches * searched + finder.count * each
    return {
        "decoys": finder.count,
        "measured_decoys": checked,
        "null_of_measured": null,
        "seconds_of_a_search": searched,
        "searches": searches,
        "seconds_of_a_check_and_a_map": each,
        "seconds": total,
        "seconds_each": total / finder.count,
    }


def singly(
    network: Network, picture: Picture, target: int, search: Search, decoys: int, advance: Advance
) -> dict[str, Any]:
    """So many decoys, each with a search and a pass of its own."""
    alone = copy(network)
    alone.card = replace(network.card, lanes=1)
    finder = Finder(alone, picture, search)
    finder.lattice = replace(finder.lattice, spacing=finder.lattice.along * search.stride)
    began = time.process_time()
    # From the middle of the picture, where no patch is cut off.
    middle = finder.count // 2
    for number, batch in enumerate(finder.find(middle, middle + decoys)):
        _explained(alone, batch, target)
        advance("one by one", number + 1, decoys)
    seconds = time.process_time() - began
    return {
        "measured_decoys": decoys,
        "seconds_each": seconds / decoys,
        "seconds_of_a_map": seconds / decoys * finder.count,
    }


def _explained(network: Network, decoys: Decoys, target: int) -> None:
    pictures = np.resize(decoys.pictures, (network.card.lanes, *decoys.pictures.shape[1:]))
    gradient(network, torch.from_numpy(pictures).float(), target)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="efficientnet-lite0")
    photograph = ROOT / "examples" / "photos" / "coffee.jpg"
    parser.add_argument("--photograph", type=Path, default=photograph)
    parser.add_argument("--decoys", type=int, default=224, help="of the patches scheme to measure")
    parser.add_argument("--alone", type=int, default=4, help="decoys to find one by one")
    out = ROOT / "docs" / "bench" / "decoys-cost.json"
    parser.add_argument("--out", type=Path, default=out)
    return parser.parse_args()


if __name__ == "__main__":
    main()
