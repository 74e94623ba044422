"""Which law of noise: named, by the published pairing, or the one that proves most.

At equal standard deviation Gaussian noise is hardest to tell from its shift by a small dense
change (it has the least Fisher information), yet in ℓ1 Laplace noise reaches farther where votes
are nearly unanimous, and flat-topped noise where they are not. So `auto` computes, and does not
pair a norm with a shape.
"""

import math
from dataclasses import replace

from certify.ball import NormBall
from certify.feasibility import best_radius
from certify.fields import require
from certify.noise import LAWS, Gaussian, GeneralizedNormal, Laplace, Law
from certify.plan import Plan, Question
from certify.scores import VOTE

AUTO, PUBLISHED = "auto", "liu2021"
NAMES = (AUTO, PUBLISHED, *LAWS)


def choose_law(name: str, plan: Plan, question: Question) -> Law:
    """The law called `name`, at the scale of the plan's recipe.

    A law's own name takes the recipe's shape if the law has it, else the law's first. "liu2021" is
    the published pairing with the question's norm. "auto" proves the largest radius, in that norm,
    if every sample votes alike; ties go to the smaller shape, to Gaussian noise first. The plan's
    own law does not matter, only its numbers. ValueError if there is no such law.
    """
    require(name in NAMES, "law", name, f"be one of {', '.join(NAMES)}")
    scale, shape = plan.recipe.scale, plan.recipe.shape
    if name == PUBLISHED:
        return published_law(question.ball(plan), scale)
    if name == AUTO:
        return max(_candidates(scale), key=lambda law: _promise(law, plan, question))
    shapes = LAWS[name].shapes
    return LAWS[name].of(shape if shape in shapes else shapes[0], scale)


def published_law(ball: NormBall, scale: float) -> Law:
    """Shape 1 for d = 1, 2 up to d = 2, 2⌈d/2⌉ above, 2⌈(ln n)/2⌉ for ℓ∞ over n entries.

    Reference: Liu et al. (2021), arXiv:2107.01561. ValueError for d above 20.
    """
    if ball.within(1):
        return Laplace(scale)
    if ball.within(2):
        return Gaussian(scale)
    shape = 2 * math.ceil((math.log(ball.entries) if ball.power is None else ball.power) / 2)
    return GeneralizedNormal(scale, shape) if shape > 2 else Gaussian(scale)


def with_law(plan: Plan, law: Law) -> Plan:
    """The plan with another law of noise, its scale included."""
    return replace(
        plan, recipe=replace(plan.recipe, law=law.name, shape=law.shape, scale=law.scale)
    )


def _candidates(scale: float) -> list[Law]:
    """Every law at a scale, the preferred among equals first."""
    kinds = (Gaussian, Laplace, GeneralizedNormal)
    return [kind.of(shape, scale) for kind in kinds for shape in kind.shapes]


def _promise(law: Law, plan: Plan, question: Question) -> float:
    # Unanimity is out of reach with fewer votes than k; what it would prove still ranks the laws.
    votes = max(plan.recipe.votes, question.k)
    recipe = replace(plan.recipe, votes=min(votes, plan.features - 1), score=VOTE)
    fits = replace(plan, recipe=recipe)
    return best_radius(with_law(fits, law), question)
