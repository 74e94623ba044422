"""Places of all features in every sample of a plan, kept on disk, so that a long run may be cut.

    python -m bench.drawn --photographs FOLDER --into FOLDER --scales 0.25 0.5 --samples 10000

draws what bench.certificates and bench.tradeoff need and is not there yet. A file belongs to one
plan and one version of torch and holds the samples from the first on, in pieces of PIECE.
"""

import argparse
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from bench.photographs import photographs
from bench.planned import planned
from bench.provenance import ROOT
from certify.evidence import Evidence
from certify.plan import AttributionName, Plan
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

PIECE = 500
KEY = "affd0000000000000000000000000001"


@dataclass(frozen=True, eq=False)
class Drawn:
    """Places (samples, features), 0 for the highest score, and predictions of samples 0, 1, …"""

    plan: Plan
    places: NDArray[np.integer]
    predictions: NDArray[np.int32]

    def evidence(self, samples: int) -> Evidence:
        """The votes of the first samples, as `Sampler.draw` gives them."""
        votes = self.places[:samples] < self.plan.recipe.votes
        return Evidence.from_votes(0, votes, self.predictions[:samples])


@dataclass(frozen=True)
class Subject:
    """What samples are of: a photograph's maps by one attribution under noise of one scale."""

    file: Path
    attribution: AttributionName
    scale: float

    def __str__(self) -> str:
        return f"{self.file.stem}, {self.attribution}, scale {self.scale}"

    def planned(self, sampler: Sampler) -> tuple[NDArray[np.uint8], Plan]:
        """The fitted picture and the plan."""
        return planned(sampler, self.file, self.scale, KEY, self.attribution)


def drawn(
    sampler: Sampler, subject: Subject, samples: int, into: Path, progress: Progress
) -> Drawn:
    """The first samples of the subject: read where they are kept, drawn and kept where not."""
    picture, plan = subject.planned(sampler)
    task = progress.add_task(str(subject), total=samples)
    pieces = []
    for start in range(0, samples, PIECE):
        kept = into / f"{_name(plan)}-{start}.npz"
        if not kept.exists():
            places, predictions = sampler.rank(plan, picture, start, start + PIECE)
            into.mkdir(parents=True, exist_ok=True)
            partial = kept.with_suffix(".partial.npz")
            np.savez(partial, places=places.astype(np.int16), predictions=predictions)
            partial.rename(kept)
        with np.load(kept) as piece:
            pieces.append((piece["places"], piece["predictions"]))
        progress.update(task, completed=start + PIECE)
    progress.remove_task(task)
    places, predictions = (np.concatenate(parts)[:samples] for parts in zip(*pieces, strict=True))
    return Drawn(plan, places, predictions)


def there(sampler: Sampler, subject: Subject, into: Path) -> int:
    """How many samples of the subject are kept, from the first on."""
    name, samples = _name(subject.planned(sampler)[1]), 0
    while (into / f"{name}-{samples}.npz").exists():
        samples += PIECE
    return samples


def _name(plan: Plan) -> str:
    """One name for all plans with these places, whatever is made of them."""
    decides = asdict(plan)
    for after in ("votes", "score"):
        del decides["recipe"][after]
    text = json.dumps([decides, torch.__version__], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def main() -> None:
    """Draw what is not there yet, scale by scale, so that a cut run leaves whole scales."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--attribution", help="default: the model card's")
    parser.add_argument("--photographs", type=Path, default=ROOT / "examples" / "photos")
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--scales", type=float, nargs="+", default=[0.25])
    parser.add_argument("--threads", type=int, default=1, help="of torch; results depend on it")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    sampler, console = Sampler(Network(card(chosen.model))), Console()
    default = sampler.card.defaults.attribution
    with Progress(console=console) as progress:
        for scale in chosen.scales:
            for file in photographs(chosen.photographs):
                subject = Subject(file, chosen.attribution or default, scale)
                drawn(sampler, subject, chosen.samples, chosen.into, progress)
                console.print(f"{subject}: {chosen.samples} samples are there")


if __name__ == "__main__":
    main()
