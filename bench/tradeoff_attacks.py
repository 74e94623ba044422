"""How far attacks get with smoothed maps, at fixed radii, for the trade-off curve.

    python -m bench.tradeoff_attacks                                digits, some minutes
    python -m bench.tradeoff_attacks --model efficientnet-lite0 --attribution grad_cam \
        --only coffee --photographs examples/photos --steps 10 --draws 8 --restarts 1 \
        --judged 800 --tried 100

For each picture and radius the attacks of Ghorbani et al. (2019) on smoothed maps are run with
restarts against the features reported of `judged` samples. Each attacked picture is judged by
`tried` samples, the worst at each radius by `judged`. What is kept of it: the votes it got, and how
many of the top k stay where the map before and the map after are both made of few samples, for each
of several ways to make a map of them. Radius 0 is the picture itself, drawn with another key: what
sampling alone does. Writes tradeoff-attacks-MODEL-ATTRIBUTION.json.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from bench.drawn import KEY
from bench.photographs import photographs
from bench.planned import planned
from bench.provenance import ROOT, provenance
from bench.soundness import OTHER_KEY
from certify.plan import Plan
from certify.scores import points
from models.attacks.aims import AIMS
from models.attacks.smoothed import Attack, attack
from models.evaluation.scores import ranking
from models.images import digest
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

RADII_IN_SCALES = (0.1, 0.3, 0.6, 4.0)
FEW = (20, 50, 100, 200, 400)
Picture = NDArray[np.uint8]
# Of every sample, (samples, features).
Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Subject:
    """A picture whose map is attacked, and the scores of its samples."""

    name: str
    picture: Picture
    plan: Plan
    scores: Scores

    @property
    def reported(self) -> tuple[int, ...]:
        """The top k of all samples."""
        return tuple(top(votes(self.plan, self.scores), self.plan.recipe.votes))


@dataclass(frozen=True)
class Row:
    """The worst attack on one picture within one radius; 0 is none at all.

    overlaps: the share of the reported that each attack left, by aim and restart, as `tried`
    samples see it. counts: votes of the `judged` samples at the worst. few: by the way to make a
    map and the number of samples, the share of the top k that stays where both maps are made of so
    many, averaged over as many disjoint sets of samples as there are.
    """

    picture: str
    scale: float
    radius_in_scales: float
    overlaps: Mapping[str, float]
    counts: list[int]
    few: Mapping[str, Mapping[int, float]]


def main() -> None:
    """Draw, attack, judge, print, write."""
    chosen, console = _arguments(), Console()
    torch.set_num_threads(1)
    sampler, rows, rates = Sampler(Network(card(chosen.model))), [], []
    for subject in _subjects(sampler, chosen):
        began = time.process_time()
        judged = _judge(sampler, subject, subject.picture, chosen.judged)
        rates.append(chosen.judged / (time.process_time() - began))
        rows.append(_row(subject, 0.0, {}, judged))
        for radius in RADII_IN_SCALES:
            rows.append(worst(sampler, subject, radius, chosen))
            console.print({**asdict(rows[-1]), "counts": "…"}, soft_wrap=True)
    names = ("model", "attribution", "steps", "draws", "restarts", "tried", "judged")
    record = {**provenance(), **{name: getattr(chosen, name) for name in names}}
    record["samples_per_cpu_second"] = round(max(rates), 1)
    record["rows"] = [asdict(row) for row in rows]
    path = chosen.out / f"tradeoff-attacks-{chosen.model}-{chosen.attribution}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    console.print(f"wrote {path}")


def worst(sampler: Sampler, subject: Subject, radius: float, chosen: argparse.Namespace) -> Row:
    """The attack within so many scales that leaves least of the reported."""
    plan, reported = subject.plan, set(subject.reported)
    found: dict[str, tuple[float, Picture]] = {}
    strength = Attack(chosen.steps, chosen.draws)
    for aim, restart in product(sorted(AIMS), range(chosen.restarts)):
        aimed, size = AIMS[aim](plan, subject.reported), radius * plan.recipe.scale
        network, picture = sampler.network, subject.picture
        changed = attack(network, plan, picture, aimed, size, strength, restart)
        seen = votes(plan, _judge(sampler, subject, changed, chosen.tried))
        left = len(reported & set(top(seen, len(reported)))) / len(reported)
        found[f"{aim} {restart}"] = left, changed
    _, changed = min(found.values(), key=lambda pair: pair[0])
    overlaps = {name: round(left, 4) for name, (left, _) in found.items()}
    return _row(subject, radius, overlaps, _judge(sampler, subject, changed, chosen.judged))


def votes(plan: Plan, scores: Scores) -> NDArray[np.int64]:
    """How many of the samples vote for each feature: sparsified maps, as Levine et al. add up."""
    return np.asarray((_places(scores) < plan.recipe.votes).sum(axis=0))


def sigmoid(plan: Plan, scores: Scores) -> NDArray[np.int64]:
    """Points that fall smoothly with the rank: the kind of score that Liu et al. add up."""
    given = points("sigmoid", plan.recipe.votes, plan.features)
    return np.asarray(given[_places(scores)].sum(axis=0))


def smoothgrad(plan: Plan, scores: Scores) -> NDArray[np.float64]:
    """The scores themselves: SmoothGrad of magnitudes (Smilkov et al. 2017)."""
    return np.asarray(scores.sum(axis=0, dtype=np.float64))


WAYS: Mapping[str, Callable[[Plan, Scores], NDArray[Any]]] = {
    "votes": votes,
    "sigmoid": sigmoid,
    "smoothgrad": smoothgrad,
}


def _places(scores: Scores) -> NDArray[np.intp]:
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.argsort(order, axis=1)


def top(scores: NDArray[Any], k: int) -> list[int]:
    """The k features of highest scores, the lower index first among equals."""
    chosen: list[int] = ranking(scores)[:k].tolist()
    return chosen


def _row(subject: Subject, radius: float, overlaps: Mapping[str, float], judged: Scores) -> Row:
    plan = subject.plan
    few = {
        way: {
            number: round(_both_few(plan, make, subject.scores, judged, number), 4)
            for number in FEW
            if number <= len(judged)
        }
        for way, make in WAYS.items()
    }
    seen = votes(plan, judged).tolist()
    return Row(subject.name, plan.recipe.scale, radius, overlaps, seen, few)


def _both_few(
    plan: Plan,
    make: Callable[[Plan, Scores], NDArray[Any]],
    before: Scores,
    after: Scores,
    number: int,
) -> float:
    k, sets = plan.recipe.votes, min(len(before), len(after)) // number
    overlaps = []
    for start in range(0, sets * number, number):
        maps = (make(plan, scores[start : start + number]) for scores in (before, after))
        one, other = (set(top(map_, k)) for map_ in maps)
        overlaps.append(len(one & other) / k)
    return float(np.mean(overlaps))


def _judge(sampler: Sampler, subject: Subject, picture: Picture, samples: int) -> Scores:
    """Scores at a picture near the subject's, by noise that no attack has seen."""
    there = replace(subject.plan, image=digest(picture), key=OTHER_KEY)
    return sampler.scores(there, picture, 0, samples)


def _subjects(sampler: Sampler, chosen: argparse.Namespace) -> Iterator[Subject]:
    files = photographs(chosen.photographs)
    files = [file for file in files if not chosen.only or file.stem in chosen.only]
    for file in files[: chosen.take]:
        scale, attribution = sampler.card.defaults.scale, chosen.attribution
        picture, plan = planned(sampler, file, scale, KEY, attribution)
        yield Subject(file.stem, picture, plan, sampler.scores(plan, picture, 0, chosen.judged))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="digits-tiny")
    parser.add_argument("--attribution", default="gradient")
    parser.add_argument("--photographs", type=Path, default=ROOT / "tests" / "data" / "digits")
    parser.add_argument("--take", type=int, default=4, help="pictures, by name")
    parser.add_argument("--only", nargs="+", default=[], help="names of pictures; all others out")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--draws", type=int, default=32, help="noise draws in each step")
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--tried", type=int, default=400, help="samples that rank the attacks")
    parser.add_argument("--judged", type=int, default=4000, help="samples that judge the worst")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench")
    return parser.parse_args()


if __name__ == "__main__":
    main()
