"""One examination: everything measured about one network on one data set, as plain data."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.attacks.plain import Strength
from models.data.dataset import DataSet, Split
from models.evaluation.robustness import Attacks
from models.examination.certificates import certified
from models.examination.explanations import Subjects, explanations
from models.examination.predictions import Pgd, right, right_after_autoattack, right_after_pgd
from models.loading import Network
from models.registry import Card
from models.training.ascent import WHITE

Report = Callable[[str], None]
PARTIAL = (0.25, 0.5, 0.75)  # of the bound, where a curve is asked for


class Unexaminable(ValueError):
    """What is asked cannot be measured, or not of this network with these data."""


@dataclass(frozen=True)
class Paper:
    """What is asked. Numbers of pictures are of the test split, from its beginning.

    clean, attacked, explained, certified: how many pictures each part looks at; 0 leaves it out,
    for clean it means all. autoattack: pictures for AutoAttack. k: pixels that count as the top of
    a map; 0 takes a tenth of them. scale: of the certificates' noise; 0 takes the card's.
    transferred: whether DANCE's map is looked at as well. curve: whether PGD tries smaller bounds
    too, so that accuracy can be drawn against them.
    """

    clean: int = 0
    attacked: int = 500
    autoattack: int = 0
    explained: int = 32
    certified: int = 16
    samples: int = 1000
    scale: float = 0.0
    k: int = 0
    pgd: Pgd = field(default_factory=Pgd)
    strength: Strength = field(default_factory=Strength)
    key: int = 0xAFFD0000000000000000000000000008
    transferred: bool = True
    curve: bool = False

    def __post_init__(self) -> None:
        for name in ("clean", "attacked", "autoattack", "explained", "certified", "scale", "k"):
            if not getattr(self, name) >= 0:
                raise Unexaminable(f"{name} is {getattr(self, name)}; it must not be negative")
        if self.samples < 1:
            raise Unexaminable(f"samples is {self.samples}; it must be at least 1")
        if not 1 <= self.pgd.bound <= WHITE:
            raise Unexaminable(f"bound is {self.pgd.bound}; it must lie in 1..255 grey levels")


def examine(
    network: Network, data: DataSet, paper: Paper, report: Report = lambda part: None
) -> dict[str, Any]:
    """Every part that the paper asks for, as JSON has it. `report` hears what is begun.

    Raises Unexaminable where the data's pictures or classes are not the network's.
    """
    _check(network.card, data)
    made: dict[str, Any] = {
        "model": network.card.name,
        "weights": network.card.weights,
        "data": {"name": data.name, "digest": data.digest, "pictures": len(data.test)},
        "paper": asdict(paper) | {"key": f"{paper.key:032x}"},
    }
    for name, title, pictures, part in PARTS:
        if name == "clean" or getattr(paper, pictures):
            report(title)
            made[name] = part(network, data.test, paper)
    return made


def _clean(network: Network, test: Split, paper: Paper) -> dict[str, Any]:
    return _share(right(network, test.first(paper.clean or len(test))))


def _pgd(network: Network, test: Split, paper: Paper) -> dict[str, Any]:
    chosen = test.first(paper.attacked)
    made = _share(right_after_pgd(network, chosen, paper.pgd, paper.key))
    if paper.curve:
        made["curve"] = _pgd_curve(network, chosen, paper, made["accuracy"])
    return made


def _pgd_curve(network: Network, chosen: Split, paper: Paper, last: float) -> dict[str, Any]:
    """Accuracy of the pictures as they are, at PARTIAL shares of the bound, and at the bound."""
    tries = [
        replace(paper.pgd, bound=share * paper.pgd.bound, length=share * paper.pgd.length)
        for share in PARTIAL
    ]
    left = [right_after_pgd(network, chosen, each, paper.key).mean() for each in tries]
    return {
        "bounds": [0.0, *(each.bound for each in tries), paper.pgd.bound],
        "accuracy": [float(right(network, chosen).mean()), *map(float, left), last],
    }


def _autoattack(network: Network, test: Split, paper: Paper) -> dict[str, Any]:
    chosen = test.first(paper.autoattack)
    return _share(right_after_autoattack(network, chosen, paper.pgd.bound, seed=1))


def _maps(network: Network, test: Split, paper: Paper) -> dict[str, Any]:
    subjects = Subjects.of(test, right(network, test), paper.explained)
    k, bound = paper.k or network.card.size**2 // 10, round(paper.pgd.bound)
    attacks = Attacks(k, bound, strength=paper.strength)
    if not subjects.labels:
        return {"pictures": 0, "k": k}
    known = explanations(network, subjects, attacks, paper.key, paper.transferred)
    return {"pictures": len(subjects.labels), "k": k, **known}


def _certified(network: Network, test: Split, paper: Paper) -> dict[str, Any]:
    chosen, scale = test.first(paper.certified), paper.scale or network.card.defaults.scale
    return asdict(certified(network, chosen, scale, paper.samples, paper.key))


def _share(known: NDArray[np.bool_]) -> dict[str, Any]:
    return {"pictures": len(known), "accuracy": float(known.mean())}


# Name in the examination, in words, which number of the paper asks for it, how it is measured.
PARTS = (
    ("clean", "clean accuracy", "clean", _clean),
    ("pgd", "PGD", "attacked", _pgd),
    ("autoattack", "AutoAttack", "autoattack", _autoattack),
    ("maps", "attacks on maps", "explained", _maps),
    ("certified", "certificates", "certified", _certified),
)


def numbers(made: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The measures of an examination in words, one number each, in the order of the table."""
    for part, name in (("clean", "clean accuracy"), ("pgd", "accuracy after PGD")):
        if part in made:
            yield name, made[part]["accuracy"]
    if "autoattack" in made:
        yield "accuracy after AutoAttack", made["autoattack"]["accuracy"]
    for base, aims in made.get("maps", {}).items():
        if isinstance(aims, dict):
            for aim, measures in aims.items():
                yield from ((f"{base}, {aim}: {name}", value) for name, value in measures.items())
    if "certified" in made:
        seen = made["certified"]
        yield "certified radius of the prediction", seen["radius"]
        for radius, accuracy, overlap in zip(
            seen["radii"], seen["accuracy"], seen["overlap"], strict=True
        ):
            yield f"certified accuracy at {radius:g}", accuracy
            yield f"certified overlap at {radius:g}", overlap


def _check(card: Card, data: DataSet) -> None:
    if data.side != card.size:
        rule = f"{card.name} takes {card.size}×{card.size}"
        raise Unexaminable(f"pictures of {data.name} are {data.side}×{data.side}; {rule}")
    if data.classes != card.classes and len(data.classes) != len(card.classes):
        rule = f"{card.name} has {len(card.classes)}"
        raise Unexaminable(f"{data.name} has {len(data.classes)} classes; {rule}")
