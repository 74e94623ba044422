"""A worker whose network is arithmetic: what the pool promises, tested without torch.

Votes are a function of the sample's index, like the real ones. The target of a plan chooses what
the sampler does besides; see `Fake.draw`.
"""

import hashlib
import os
import time
from dataclasses import dataclass

import numpy as np

from certify.evidence import Evidence
from certify.plan import Plan, Recipe
from models.registry import UnknownModel
from models.weights import WeightsError
from service.pool.desk import Desk
from service.pool.worker_process import Worker, end_with_parent, options

GOOD, BROKEN, CONTRADICTORY, SLOW, CRASHING, LARGE, HUGE = range(7)
# What the allocator of a LARGE plan can give at once, in samples; of a HUGE one, nothing.
ROOM = 8
IMAGE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def plan(target: int = GOOD, model: str = "fake", lanes: int = 4) -> Plan:
    recipe = Recipe("gaussian", 2, 0.25, "gradient", 2, 2, lanes, "float32")
    digest = hashlib.sha256(IMAGE.tobytes()).hexdigest()
    return Plan(model, "0" * 64, digest, 4, 6, 3, target, recipe, "0" * 32)


@dataclass(frozen=True)
class Seen:
    probabilities: np.ndarray
    target: int
    map: np.ndarray


def votes(samples: np.ndarray, features: int, count: int) -> np.ndarray:
    scores = (samples[:, None] * 2654435761 + np.arange(features) * 40503) % 1009
    ranks = scores.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return ranks < count


class Fake:
    """Milliseconds a sample; takes as long as a hung network where the plan says SLOW."""

    def look(self, image, target, attribution, precision):
        probabilities = np.array([0.25, 0.75], dtype=np.float32)
        return Seen(probabilities, 1 if target is None else target, image.max(2) / np.float32(255))

    def draw(self, plan, image, start, stop):
        if plan.target == BROKEN:
            raise RuntimeError("the network fell over")
        if plan.target == CONTRADICTORY:
            raise ValueError("target is 2; it must be a class index below 2")
        if plan.target == CRASHING:
            os._exit(3)
        if plan.target == HUGE or (plan.target == LARGE and stop - start > ROOM):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        time.sleep(60 if plan.target == SLOW else 0.001 * (stop - start))
        samples = np.arange(start, stop)
        predictions = (samples % 2).astype(np.int32)
        return Evidence.from_votes(
            start, votes(samples, plan.features, plan.recipe.votes), predictions
        )

    def together(self, pieces):
        return [
            (self.average if p.summed else self.draw)(p.plan, p.image, p.start, p.stop)
            for p in pieces
        ]

    def average(self, plan, image, start, stop):
        return np.arange(start, stop).sum() * np.arange(plan.features, dtype=np.float64) / 4


def load(model: str) -> Fake:
    if model == "lost":
        raise WeightsError("weights of lost are missing")
    if model != "fake":
        raise UnknownModel(model, ("fake",))
    return Fake()


def desk() -> Desk:
    return Desk(load, device="fake", threads=1)


if __name__ == "__main__":
    chosen = options()
    end_with_parent(chosen.parent)
    Worker(desk(), chosen.connect, chosen.name).run_forever(chosen.parent, chosen.pulse)
