"""Tuning measures what it says, and recommends what was quickest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from certify.evidence import Evidence
from certify.plan import Plan
from models import trials
from models.gpu.hardware import Here
from models.gpu.inputs import Plain
from models.gpu.sampler import GpuSampler
from models.precision import TF32, precisions
from models.registry import Card, card
from models.sampling import Sampler
from models.trials import Trial, processor, recommended
from models.tuning import tune, usual


def test_every_precision_is_measured_and_compared(
    sampler: Sampler, digit: NDArray[np.uint8]
) -> None:
    found = tune(sampler, digit, (8, 32), seconds=0.0)
    names = [name for name in precisions("gradient") if name != TF32]
    assert [each.precision for each in found if each.lanes == 1] == names
    exact = [each for each in found if each.precision == "float32"]
    assert [each.lanes for each in exact] == [1, 8, 32]
    for each in found:
        assert each.samples_per_second > 0
        same = each.precision == "float32"
        assert (each.cosine == each.equal_votes == each.equal_predictions == 1) or not same
        assert each.cosine > 0.999 and each.equal_votes > 0.9


def test_on_a_gpu_what_a_worker_there_runs_is_measured_once_it_is_warm(
    sampler: Sampler, digit: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of batch is drawn twice or more: at first to see whether the ways agree."""
    made, drawn = GpuSampler(sampler, Here(), [Plain]), list[tuple[str, int]]()
    draw = made.draw

    def counted(plan: Plan, *rest: Any) -> Evidence:
        drawn.append((plan.recipe.precision, plan.recipe.lanes))
        return draw(plan, *rest)

    monkeypatch.setattr(made, "draw", counted)
    found = tune(made, digit, (8,), seconds=0.0)
    kinds = [(each.precision, each.lanes) for each in found]
    assert kinds == [(name, n) for name in ("float32", "bfloat16", "float16") for n in (1, 8)]
    # Warm, then measured, before the next is begun: few kinds of batches are kept ready.
    wide = [kind for kind in drawn if kind[1] == 8]
    assert wide == [(name, 8) for name in ("float32", "bfloat16", "float16") for _ in range(2)]
    assert made.depth(usual(sampler, digit, "float16", 8))


def test_what_is_hopeless_alone_is_measured_no_further(
    sampler: Sampler, digit: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(1, 100))
    monkeypatch.setattr("models.tuning._seconds", lambda *_: float(next(seconds)))
    monkeypatch.setattr("models.tuning.HOPELESS", 2.5)
    found = tune(sampler, digit, (8,), seconds=-1e9)
    assert [(each.precision, each.lanes) for each in found] == [
        ("float32", 1),
        ("float32", 8),
        ("bfloat16", 1),
        ("bfloat16", 8),
        ("float16", 1),
    ]


def test_the_usual_plan_is_that_of_the_card(sampler: Sampler, digit: NDArray[np.uint8]) -> None:
    plan = usual(sampler, digit, "bfloat16", 16)
    defaults = sampler.card.defaults
    assert (plan.recipe.precision, plan.recipe.lanes) == ("bfloat16", 16)
    assert plan.recipe.attribution == defaults.attribution and plan.recipe.cell == defaults.cell


def trial(precision: str, lanes: int, rate: float) -> Trial:
    return Trial(precision, lanes, rate, 1.0, 1.0, 1.0)


@pytest.fixture
def lite() -> Card:
    return card("efficientnet-lite0")  # eight lanes


@pytest.mark.parametrize(
    ("rates", "best", "other"),
    [
        ({("float32", 8): 60, ("float32", 16): 62, ("bfloat16", 8): 65}, ("float32", 8), None),
        (
            {("float32", 8): 60, ("float32", 16): 64, ("bfloat16", 8): 71},
            ("float32", 16),
            ("bfloat16", 8),
        ),
        ({("float32", 16): 9, ("float32", 32): 9.1}, ("float32", 32), None),
    ],
)
def test_the_quickest_is_recommended_and_the_card_wins_a_draw(
    lite: Card,
    rates: dict[tuple[str, int], float],
    best: tuple[str, int],
    other: tuple[str, int] | None,
) -> None:
    found, quicker = recommended(lite, [trial(*of, rate) for of, rate in rates.items()])
    assert (found.precision, found.lanes) == best
    assert (None if quicker is None else (quicker.precision, quicker.lanes)) == other


def test_a_processor_is_its_name_and_what_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, gpu = tmp_path / "cpuinfo", tmp_path / "gpus" / "0"
    file.write_text("model name\t: First\nflags\t: fpu avx2 amx_bf16\n\nmodel name\t: Second\n")
    gpu.mkdir(parents=True)
    (gpu / "information").write_text("Model: \t\t Some GPU\nIRQ: 5\n")
    monkeypatch.setattr(trials, "CPU", file)
    monkeypatch.setattr(trials, "GPUS", tmp_path / "gpus")
    assert processor("cpu") == "First (avx2 amx_bf16)"
    assert processor("cuda") == "Some GPU"
    monkeypatch.setattr(trials, "CPU", tmp_path / "none")
    assert processor("cpu") == " ()"
