"""Does a sample's vote depend on what else is in its batch? Counted, in two precisions.

    python -m bench.invariance                the networks for photographs, 256 samples
    python -m bench.invariance --samples 16 --out /tmp/trial

Every sample is computed alone and in batches of 8, 16 and 32, in float32 and in bfloat16, and each
batch once more with its pictures in another order. Writes invariance.json; docs/invariance.md shows
it as a table, and a test holds the two in step. bfloat16 is what a recipe may ask for.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from bench.planned import fitted
from bench.provenance import ROOT, provenance
from certify.noise import Gaussian, draw, table
from models.attribution.bases import ATTRIBUTIONS
from models.features import magnitude, pool, vote
from models.loading import Network
from models.registry import Card, card

MODELS = ("efficientnet-lite0", "mobilenet-v2")
PHOTOGRAPH = "coffee"
PRECISIONS = ("float32", "bfloat16")
BATCHES = (8, 16, 32)
KEY = 0xAFFD0000000000000000000000000002
THREADS = 1  # as in a worker process


@dataclass(frozen=True)
class Seen:
    """What one way of computing saw, a row for each sample: scores float32 (samples, features),
    which of them are voted for, and the class predicted."""

    scores: NDArray[np.float32]
    votes: NDArray[np.bool_]
    predictions: NDArray[np.int64]


@dataclass(frozen=True)
class Row:
    """One comparison: how much of `against` changes in batches of this size.

    against: "alone", each sample computed by itself; "another order", the same batch size with the
    pictures of each batch reversed; "float32", each sample alone in float32. scores_changed: in how
    many samples any score has another bit; samples_changed: any vote; largest: |change| of a score
    over the largest score of its sample.
    """

    model: str
    precision: str
    batch: int
    against: str
    samples: int
    votes: int
    scores_changed: int
    largest: float
    samples_changed: int
    votes_changed: int
    predictions_changed: int


def main() -> None:
    """Compute, compare, print, write."""
    arguments = _arguments()
    torch.set_num_threads(THREADS)
    console, rows = Console(), []
    for name in arguments.models:
        for row in compare(Network(card(name), arguments.device), arguments.samples):
            rows.append(row)
            console.print(line(asdict(row)), highlight=False, soft_wrap=True)
    about = {"photograph": PHOTOGRAPH, "threads": THREADS, "rows": [asdict(row) for row in rows]}
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "invariance.json"
    path.write_text(json.dumps({**provenance(), **about}, indent=1) + "\n")
    console.print(f"wrote {path}")


def compare(network: Network, samples: int) -> Sequence[Row]:
    """Every comparison of one network."""
    noisy, target = pictures(network, samples)
    rows, first = [], None
    for precision in PRECISIONS:
        made = network if precision == network.precision else network.at(precision)
        alone = see(made, noisy, target, 1)
        first = first or alone
        if precision != PRECISIONS[0]:
            rows.append(_row(network.card, precision, 1, "float32", first, alone))
        for batch in BATCHES:
            together = see(made, noisy, target, batch)
            turned = see(made, noisy, target, batch, turned=True)
            rows.append(_row(network.card, precision, batch, "alone", alone, together))
            rows.append(_row(network.card, precision, batch, "another order", together, turned))
    return rows


def pictures(network: Network, samples: int) -> tuple[Tensor, int]:
    """The bundled photograph under noise, (samples, size, size, 3), and its class."""
    chosen = network.card
    file = ROOT / "examples" / "photos" / f"{PHOTOGRAPH}.jpg"
    clean = torch.from_numpy(fitted(file, chosen)).float()
    law = table(Gaussian(chosen.defaults.scale))
    noise = [draw(law, KEY, each, clean.numel()).reshape(clean.shape) for each in range(samples)]
    with torch.no_grad():
        target = int(network(clean[None].to(network.device)).argmax())
    return (clean + torch.from_numpy(np.stack(noise))).to(network.device), target


def see(network: Network, noisy: Tensor, target: int, batch: int, turned: bool = False) -> Seen:
    """Votes and predictions in full batches of this size; `turned`: each in reversed order."""
    parts = []
    for first in range(0, len(noisy), batch):
        part = noisy[first : first + batch]
        if len(part) < batch:
            raise ValueError(f"samples is {len(noisy)}; it must be a multiple of {batch}")
        seen = _pass(network, part.flip(0) if turned else part, target)
        parts.append([each.flip(0) if turned else each for each in seen])
    return Seen(*(torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)))


def _pass(network: Network, part: Tensor, target: int) -> list[Tensor]:
    """Scores, votes and predictions of one batch."""
    defaults = network.card.defaults
    maps, logits = ATTRIBUTIONS["gradient"].with_logits(network, part, target)
    scores = pool(magnitude(maps), defaults.cell)
    votes = vote(scores, round(defaults.vote_fraction * scores.shape[1]))
    return [scores, votes, logits.argmax(dim=1)]


def _row(chosen: Card, precision: str, batch: int, against: str, one: Seen, other: Seen) -> Row:
    changed = one.votes & ~other.votes
    moved = np.abs(one.scores - other.scores).max(axis=1)
    return Row(
        model=chosen.name,
        precision=precision,
        batch=batch,
        against=against,
        samples=len(one.votes),
        votes=int(one.votes.sum()),
        scores_changed=int((moved > 0).sum()),
        largest=float(f"{(moved / one.scores.max(axis=1)).max():.1e}"),
        samples_changed=int(changed.any(axis=1).sum()),
        votes_changed=int(changed.sum()),
        predictions_changed=int((one.predictions != other.predictions).sum()),
    )


def page(record: dict[str, Any]) -> str:
    """The table of docs/invariance.md."""
    names = "network | precision | batch | against | samples with another score | largest change"
    head = f"| {names} | samples with another vote | votes changed | predictions changed |"
    rule = "| --- | --- | --: | --- | --: | --: | --: | --: | --: |"
    return "\n".join([head, rule, *(line(row) for row in record["rows"])])


def line(row: dict[str, Any]) -> str:
    """One comparison as a row of the table."""
    return (
        f"| {row['model']} | {row['precision']} | {row['batch']} | {row['against']} "
        f"| {row['scores_changed']} | {row['largest']:.1e} "
        f"| {row['samples_changed']} of {row['samples']} "
        f"| {row['votes_changed']} of {row['votes']} | {row['predictions_changed']} |"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=MODELS, help="names of model cards")
    parser.add_argument("--samples", type=int, default=256, help="a multiple of 32")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench")
    return parser.parse_args()


if __name__ == "__main__":
    main()
