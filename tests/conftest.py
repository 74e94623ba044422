"""Shared by all tests: one small plan, and evidence of the identity map, whose truth is known.

The identity map's score of a pixel is the noisy pixel itself. The noise is alike in every pixel, so
one vote probability exceeds another exactly if its pixel is brighter: every top-k set of the
smoothed map is known in closed form, and so is the smallest change that breaks a claim.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from certify.evidence import Evidence
from certify.noise import draw, table
from certify.plan import Plan, Question, Recipe
from tests.composed import composed

# Fixed examples: a test that fails here fails everywhere, every time.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

PLAN = Plan(
    model="identity",
    weights="0" * 64,
    image="1" * 64,
    height=1,
    width=2,
    channels=1,
    target=0,
    recipe=Recipe("gaussian", 2, 0.25, "gradient", 1, 1, 8, "float32"),
    key="00112233445566778899aabbccddeeff",
)
QUESTION = Question(k=1, samples=4000, failure_probability=0.001, confidence="anytime", norm="2")


def identity_plan(pixels: int, votes: int, scale: float = 0.25) -> Plan:
    recipe = replace(PLAN.recipe, votes=votes, scale=scale)
    return replace(PLAN, width=pixels, recipe=recipe)


def identity_evidence(plan: Plan, picture: NDArray[np.int64], samples: int) -> Evidence:
    law_table, key = table(plan.recipe.noise), int(plan.key, 16)
    noise = np.stack([draw(law_table, key, s, plan.entries) for s in range(samples)])
    order = np.argsort(-(picture + noise), axis=1, kind="stable")
    votes = np.zeros((samples, plan.features), bool)
    np.put_along_axis(votes, order[:, : plan.recipe.votes], True, axis=1)
    return Evidence.from_votes(0, votes, np.zeros(samples, np.int32))


@pytest.fixture
def plan() -> Plan:
    return PLAN


@pytest.fixture
def question() -> Question:
    return QUESTION


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    return identity_plan


@pytest.fixture
def make_evidence() -> Callable[..., Evidence]:
    return identity_evidence


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """A document about six pixels, three of them bright, 500 samples."""
    plan = identity_plan(6, votes=3)
    question = Question(k=3, samples=500, failure_probability=0.001, confidence="anytime", norm="2")
    evidence = identity_evidence(plan, np.array([200, 60, 180, 50, 190, 40]), 500)
    return composed(plan, question, evidence, radius=0.1)
