"""The pictures of finished work: which photo, map, cells and words go on each."""

from collections.abc import Sequence

import numpy as np

from certify import wording
from certify.plan import Recipe
from certify.scores import VOTE
from models.attribution.methods import METHODS
from models.precision import FLOAT32
from service.drawing import pictures
from service.drawing.marks import Cells
from service.drawing.pictures import Legend
from service.drawing.scenes import Scene
from service.pipeline import Certified, Explained
from service.rules.base_maps import DEFAULT

TITLES = {
    "dance": "How far the map of {label} moves over decoys of the picture",
    "gradient": "How strongly each pixel moves the score of {label}",
    "plain": "What matters most for {label}",
    "smoothgrad": "How strongly each region moves the score of {label}, averaged under noise",
    "renyi": "How often each region is among the most important for {label} under noise",
}
Facts = tuple[tuple[str, str], ...]


def explained(done: Explained) -> bytes:
    """The map over the photo, as PNG."""
    order = done.order
    label = order.card.classes[done.look.target]
    facts: Facts = (("model", order.card.title), ("region", _cell(order.cell)))
    facts += _network(order.attribution, order.precision)
    if order.noise is not None:
        recipe = order.noise.recipe
        facts += (("noise σ", wording.exactly(recipe.scale)), ("samples", str(order.noise.samples)))
        if order.method == "renyi":
            facts += (_given(recipe),)
    legend = Legend(TITLES[order.method].format(label=label), facts)
    return pictures.png(pictures.overlay(done.subject.picture, done.scores, legend))


def overlay(done: Certified) -> bytes:
    """How often each region was among the most important, over the photo, as PNG."""
    scores = done.plan.shares(done.evidence.counts, done.evidence.samples)
    scores = scores.reshape(done.plan.rows, -1)
    title = TITLES["renyi"].format(label=_label(done))
    legend = Legend(title, _facts(done))
    return pictures.png(pictures.overlay(done.subject.picture, scores, legend))


def regions(done: Certified) -> bytes:
    """Certified important, undecided and certified unimportant regions, as PNG; see `scene`."""
    return scene(done).draw()


def scene(done: Certified) -> Scene:
    """Certified important, undecided and certified unimportant regions, still to be drawn.

    Certified within the radius that answers the question; within any radius at all where that is 0.
    """
    plan, proven = done.plan, done.certificate
    _, radius = wording.answer(done.order.asked, proven)
    grid = (plan.rows, plan.columns)
    reported = np.zeros(plan.features, dtype=bool)
    reported[list(proven.reported)] = True
    cells = Cells(proven.labels(radius).reshape(grid), reported.reshape(grid))
    question = done.order.question
    facts = (
        *_facts(done),
        (f"radius, {wording.norm_sign(question.norm)}", wording.exactly(radius)),
        ("confidence", wording.confidence(question.failure_probability)),
    )
    legend = Legend(f"What stays important for {_label(done)}", facts, tuple(_claim(done)))
    return Scene(done.subject.picture, cells, legend)


def _claim(done: Certified) -> Sequence[str]:
    """The first sentence of the certificate in words: the answer to what was asked."""
    words = wording.summary(
        done.plan, done.order.question, done.order.asked, done.certificate, _label(done)
    )
    return words[:1]


def _label(done: Certified) -> str:
    return done.order.card.classes[done.plan.target]


def _facts(done: Certified) -> Facts:
    recipe = done.plan.recipe
    return (
        ("model", done.order.card.title),
        *_network(recipe.attribution, recipe.precision),
        ("noise σ", wording.exactly(recipe.scale)),
        ("samples", str(done.evidence.samples)),
        ("regions", f"{done.plan.features} of {_cell(recipe.cell)}"),
        ("reported", str(done.certificate.k)),
    )


def _network(attribution: str, precision: str) -> Facts:
    """Base map and arithmetic, where they are not the usual ones."""
    base = () if attribution == DEFAULT else (("base map", METHODS[attribution].title),)
    return base if precision == FLOAT32 else (*base, ("computed in", precision))


def _given(recipe: Recipe) -> tuple[str, str]:
    """What a noisy map gives its features."""
    if recipe.score == VOTE:
        return "votes per sample", str(recipe.votes)
    return "points by rank", f"{recipe.score}, {recipe.votes}"


def _cell(cell: int) -> str:
    return f"{cell}×{cell} pixels" if cell > 1 else "1 pixel"
