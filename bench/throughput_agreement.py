"""How near the maps of faster arms are to those of the network as we run it, in float32."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from bench.throughput_arms import BASES, LARGE, Arm
from bench.throughput_subjects import Subject
from models.attribution.bases import ATTRIBUTIONS
from models.features import magnitude, pool, vote

SAMPLES = {"bfloat16": 32, "float16": 8}


def levers(subject: Subject, arms: Sequence[Arm]) -> Iterator[dict[str, Any]]:
    """One row for each lever."""
    lanes = min(8, subject.plan.recipe.lanes)
    wanted = _scores(subject, "gradient", "float32", subject.plan.recipe.lanes)[:lanes]
    for arm in arms:
        if arm.lever and arm.most > 1:
            maps = _first(arm.run())
            scores = pool(magnitude(maps[:lanes]), subject.plan.recipe.cell)
            yield {"arm": arm.name, **_near(subject, wanted, scores)}


def precisions(subject: Subject, brief: bool = False) -> Iterator[dict[str, Any]]:
    """One row for each low precision of each base map; brief: of bfloat16 only."""
    for precision, samples in SAMPLES.items():
        if precision == "float16" and (brief or subject.plan.model in LARGE):
            continue
        for base in BASES:
            exact, low = (_scores(subject, base, p, samples) for p in ("float32", precision))
            yield {"arm": f"{precision} {base}", **_near(subject, exact, low)}


def _scores(subject: Subject, base: str, precision: str, samples: int) -> Tensor:
    network = subject.sampler.at(precision)
    parts = torch.split(subject.noisy[:samples], min(samples, subject.plan.recipe.lanes))
    maps = [ATTRIBUTIONS[base](network, part, subject.plan.target) for part in parts]
    return pool(magnitude(torch.cat(maps)), subject.plan.recipe.cell)


def _near(subject: Subject, one: Tensor, other: Tensor) -> dict[str, Any]:
    votes = [vote(scores, subject.plan.recipe.votes) for scores in (one, other)]
    cosine = torch.nn.functional.cosine_similarity(one.double(), other.double())
    return {
        "samples": len(one),
        "same_bits": torch.equal(one, other),
        "cosine": round(float(cosine.mean()), 6),
        "equal_votes": round(float((votes[0] & votes[1]).sum() / votes[0].sum()), 4),
    }


def _first(passes: Any) -> Tensor:
    """The maps of the first pass of a lever."""
    maps: Tensor = passes[0][0]
    return maps
