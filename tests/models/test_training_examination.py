"""Examinations: attacks of known outcome, certificates as the service makes them, plain numbers."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from models.attacks.plain import Strength
from models.data.dataset import DataSet, Split
from models.evaluation.robustness import Attacks
from models.examination.certificates import FAILURE, RADII, certified
from models.examination.explanations import MEASURES, Subjects, explanations
from models.examination.predictions import Pgd, right, right_after_autoattack, right_after_pgd
from models.examination.report import Paper, Unexaminable, examine, numbers
from models.loading import Network
from models.training.draws import Draws, Purpose

QUICK = Strength(steps=2, restarts=1)


@pytest.fixture
def linear(as_network: Callable[[nn.Module, int], Network]) -> Network:
    """Two classes, one linear layer on values in [0, 1]."""
    layer = nn.Linear(4 * 4 * 3, 2)
    layer.weight.data = Draws(2, 0, 0, (0, 1)).normal(Purpose.PARAMETERS, (48,))
    layer.bias.data = -layer.weight.data.sum(1) / 2
    made = as_network(nn.Sequential(nn.Flatten(), layer), 4)
    made.card = replace(made.card, classes=("a", "b"))
    return made


@pytest.fixture
def grey() -> Split:
    """Pictures far from black and white, so that the box never binds."""
    values = Draws(3, 0, 0, tuple(range(64))).uniform(Purpose.PICK, (4, 4, 3)).numpy()
    labels = (np.arange(64) % 2).astype(np.int64)
    return Split((60 + 135 * values).astype(np.uint8), labels)


def margins(linear: Network, split: Split) -> tuple[NDArray[np.float64], float]:
    """z_label - z_other of each picture, and by how much one grey level in all values lowers it."""
    logits = linear(torch.from_numpy(split.pictures).float()).numpy().astype(np.float64)
    own = logits[np.arange(len(split)), split.labels]
    weight = linear.module[1].weight.double()  # type: ignore[index]
    steep = float((weight[0] - weight[1]).abs().sum()) / 255
    return own - logits[np.arange(len(split)), 1 - split.labels], steep


@pytest.mark.parametrize("bound", [1.0, 4.0, 16.0])
def test_pgd_on_a_linear_network_leaves_exactly_those_of_large_margin(
    bound: float, linear: Network, grey: Split
) -> None:
    margin, steep = margins(linear, grey)
    expected = margin > bound * steep
    left = right_after_pgd(linear, grey, Pgd(bound, bound / 2, 4, 1), key=1)
    assert (left == expected).all()
    assert bound != 1.0 or 0 < left.sum() < right(linear, grey).sum()


def test_more_restarts_never_leave_more(data: DataSet, tiny: Network) -> None:
    part = data.test.first(60)
    left = [right_after_pgd(tiny, part, Pgd(48, 12, 3, restarts), key=5) for restarts in range(4)]
    assert (left[0] == right(tiny, part)).all()
    for fewer, more in pairwise(left):
        assert not (more & ~fewer).any()
    assert left[-1].sum() < left[0].sum()


@pytest.mark.filterwarnings("ignore::Warning")
def test_autoattack_agrees_with_the_margin(linear: Network, grey: Split) -> None:
    pytest.importorskip("pyautoattack", reason="an extra of its own: AutoAttack by its authors")
    margin, steep = margins(linear, grey)
    part = Split(grey.pictures[:16], grey.labels[:16])
    left = right_after_autoattack(linear, part, 2.0, seed=1, fast=True)
    assert (left == (margin[:16] > 2 * steep)).all()


def test_subjects_are_those_read_right(data: DataSet) -> None:
    known = np.ones(len(data.test), bool)
    known[[0, 2]] = False
    chosen = Subjects.of(data.test, known, 3)
    assert chosen.numbers == (1, 3, 4)
    assert (chosen.pictures == data.test.pictures[[1, 3, 4]]).all()
    assert chosen.labels == tuple(data.test.labels[[1, 3, 4]].tolist())
    assert len(Subjects.of(data.test, known, 10**6).labels) == len(data.test) - 2


def test_explanations_suffer_from_attacks(data: DataSet, tiny: Network) -> None:
    subjects = Subjects.of(data.test, right(tiny, data.test), 3)
    made = explanations(tiny, subjects, Attacks(k=25, bound=16, strength=QUICK), key=4)
    assert list(made) == ["gradient", "dance", "integrated_gradients"]
    for means in made.values():
        assert list(means) == ["top_k", "mass_centre", "target"]
        for each in means.values():
            assert tuple(each) == MEASURES
            assert 0 <= each["top_k"] < 1 and -1 <= each["kendall"] < 1
            assert 0 < each["cosine"] < 1 and each["sensitivity"] > 0


def test_certificates_are_those_of_the_service(data: DataSet, tiny: Network) -> None:
    """A larger noise proves larger radii; the means are of certificates with the card's k."""
    part = data.test.first(2)
    small, large = (certified(tiny, part, scale, 200, key=9) for scale in (0.1, 0.5))
    assert small == certified(tiny, part, 0.1, 200, key=9)
    assert large.radius > small.radius > 0
    assert small.radii == RADII and FAILURE == 0.001
    for each in (small, large):
        assert list(each.accuracy) == sorted(each.accuracy, reverse=True)
        assert list(each.overlap) == sorted(each.overlap, reverse=True)
    assert 0 < large.overlap[0] < 1


def test_a_wrong_label_is_never_certified(data: DataSet, tiny: Network) -> None:
    part = data.test.first(2)
    wrong = Split(part.pictures, (part.labels + 1) % 10)
    assert certified(tiny, wrong, 0.25, 200, key=9).radius == 0


def test_an_examination_is_json_and_a_table(data: DataSet, tiny: Network) -> None:
    heard: list[str] = []
    paper = Paper(
        clean=50,
        attacked=10,
        explained=2,
        certified=1,
        samples=100,
        pgd=Pgd(steps=2),
        strength=QUICK,
    )
    made = examine(tiny, data, paper, heard.append)
    assert json.loads(json.dumps(made))["clean"]["accuracy"] == made["clean"]["accuracy"]
    assert heard == ["clean accuracy", "PGD", "attacks on maps", "certificates"]
    table = dict(numbers(made))
    assert len(table) == 2 + 3 * 3 * len(MEASURES) + 1 + 2 * len(RADII)
    assert not any(math.isnan(value) for value in table.values())
    assert table["clean accuracy"] == right(tiny, data.test.first(50)).mean()
    again = examine(tiny, data, paper)
    assert made == again, "an examination is a function of its paper"


def test_parts_may_be_left_out(data: DataSet, tiny: Network) -> None:
    made = examine(tiny, data, Paper(attacked=0, explained=0, certified=0))
    assert [name for name, _ in numbers(made)] == ["clean accuracy"]
    assert made["clean"] == {"pictures": 360, "accuracy": pytest.approx(0.992, abs=5e-4)}


def test_other_data_are_refused(data: DataSet, tiny: Network) -> None:
    large = Split(np.zeros((1, 32, 32, 3), np.uint8), np.zeros(1, np.int64))
    with pytest.raises(Unexaminable, match="pictures of x are 32×32; digits-tiny takes 16×16"):
        examine(tiny, DataSet("x", data.classes, large, large), Paper())
    fewer = Split(data.test.pictures[:1], np.zeros(1, np.int64))
    with pytest.raises(Unexaminable, match="x has 2 classes; digits-tiny has 10"):
        examine(tiny, DataSet("x", ("a", "b"), fewer, fewer), Paper())
