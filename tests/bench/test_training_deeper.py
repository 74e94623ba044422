"""More pictures by the same paper: of as many as the examination has, the same numbers."""

from pathlib import Path

from bench.training_deeper import MEASURES, attacked, certificates, explained
from models.attacks.plain import Strength
from models.data.formats import load
from models.examination.predictions import Pgd
from models.examination.report import Paper, examine
from models.loading import Network
from models.registry import card

DIGITS = f"digits:{Path(__file__).parents[2] / 'examples' / 'digits'}"


def test_of_as_many_pictures_the_numbers_are_those_of_the_examination() -> None:
    data, tiny = load(DIGITS), Network(card("digits-tiny"))
    paper = Paper(
        attacked=20,
        explained=2,
        certified=1,
        samples=50,
        pgd=Pgd(16, 8, 2, 1),
        strength=Strength(steps=2, restarts=1),
        transferred=False,
    )
    made = examine(tiny, data, paper)
    assert attacked(data.test, 20, tiny, made["paper"]) == made["pgd"]
    assert certificates(data.test, 1, tiny, made["paper"]) == made["certified"]
    top = explained(data.test, 2, tiny, made["paper"])
    before = made["maps"]["integrated_gradients"]["top_k"]
    assert top["integrated_gradients"]["top_k"] == {name: before[name] for name in MEASURES}
    assert (top["pictures"], top["k"]) == (2, 25)
