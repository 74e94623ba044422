"""Small problems of any law, norm, confidence and score, often degenerate, by their number."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from certify.certificate import budget_of
from certify.confidence import Budget
from certify.evidence import Evidence
from certify.plan import Plan, Question, Recipe
from certify.randomness import words

Floats = NDArray[np.float64]
KEY = 0xAFFD0000000000000000000000000008
LAWS = (("gaussian", 2), ("laplace", 1), *(("generalized_normal", b) for b in (4, 6, 12, 20)))
SCALES = (0.004, 0.0137, 0.1, 0.25, 0.25, 1.0, 4.0)
FAILURES = (1e-300, 1e-30, 1e-9, 0.001, 0.001, 0.05, 0.5, 0.9, 1 - 2**-53)
SAMPLES = (1, 2, 3, 20, 60, 200, 1000, 4000, 4000, 12_000)
PATTERNS = ("unanimous", "level", "one off", "slope", "slope", "slope", *["together"] * 4)


class Luck:
    """Choices of one case: words of its own address, one after another."""

    def __init__(self, case: int) -> None:
        self._words = iter(words(KEY, case, 0, 4096).tolist())
        self.case = case

    def below(self, number: int) -> int:
        return int(next(self._words)) % number

    def among(self, things: Any) -> Any:
        return things[self.below(len(things))]

    def normal(self, *shape: int) -> Floats:
        number = int(np.prod(shape))
        uniform = (words(KEY, self.case, 1, number) >> np.uint64(11)) * 2.0**-53 + 2.0**-54
        return np.asarray(stats.norm.ppf(uniform)).reshape(shape)


@dataclass(frozen=True, eq=False)
class Problem:
    plan: Plan
    question: Question
    evidence: Evidence
    pattern: str

    @property
    def budget(self) -> Budget:
        return budget_of(self.plan, self.question, self.evidence.samples)


def problem(case: int) -> Problem:
    """A small problem of any law, norm, confidence and score, often with degenerate evidence."""
    luck = Luck(case)
    features = 2 + luck.below(5)
    votes, k = 1 + luck.below(features - 1), 1 + luck.below(features - 1)
    law, shape = luck.among(LAWS)
    cell, channels = 1 + luck.below(2), luck.among((1, 3))
    score = luck.among(("vote", "vote", "vote", "linear")) if features <= 4 else "vote"
    recipe = Recipe(law, shape, luck.among(SCALES), "gradient", cell, votes, 8, "float32", score)
    digest = "0" * 64
    plan = Plan("m", digest, digest, cell, cell * features, channels, 0, recipe, "0" * 32)
    samples, pattern = luck.among(SAMPLES), luck.among(PATTERNS)
    confidence, norm = luck.among(("anytime", "fixed")), luck.among(("1", "2", "2", "2.5", "inf"))
    question = Question(k, samples, luck.among(FAILURES), confidence, norm)
    ranked = _ranked(luck, pattern, samples, features)
    predictions = np.where(ranked[:, 0] == ranked[0, 0], 0, 1).astype(np.int32)
    given = np.zeros((samples, features), np.int64)
    np.put_along_axis(given, ranked, np.broadcast_to(plan.points, ranked.shape), axis=1)
    if plan.votes_only:
        return Problem(
            plan, question, Evidence.from_votes(0, given.astype(bool), predictions), pattern
        )
    return Problem(plan, question, Evidence.from_points(0, given, predictions), pattern)


def _ranked(luck: Luck, pattern: str, samples: int, features: int) -> NDArray[np.int64]:
    """For each sample the features, best first."""
    alike = np.tile(np.arange(features), (samples, 1))
    if pattern == "level":
        return (alike + np.arange(samples)[:, None]) % features
    if pattern == "one off":
        alike[-1] = alike[-1, ::-1]
    if pattern in ("unanimous", "one off"):
        return alike
    slope, noise = luck.among((0.1, 0.4, 1.0, 2.5)), luck.normal(samples, features)
    if pattern == "together":  # neighbours rise and fall with one another
        noise = 0.2 * noise + 1.5 * np.repeat(noise[:, ::2], 2, axis=1)[:, :features]
    return np.argsort(slope * alike - noise, axis=1, kind="stable")
