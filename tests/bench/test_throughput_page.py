"""The page on throughput is its numbers, and says in words what they say."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import throughput, throughput_agreement
from bench.throughput_agreement import levers, precisions
from bench.throughput_arms import Arm, arms, captum, loop
from bench.throughput_child import race
from bench.throughput_levers import Turned, by_onednn, convolutions, other, turned
from bench.throughput_page import LEVERS, goals, page, verdict
from bench.throughput_rates import Race, Ratio
from bench.throughput_subjects import Subject, subject
from models.attribution.gradient import gradient_of

RECORD: dict[str, Any] = json.loads(throughput.NUMBERS.read_text())
FIRST = Race(RECORD["networks"][0])


def test_the_page_is_written_from_the_numbers() -> None:
    assert throughput.PAGE.read_text() == page(RECORD, throughput.elsewhere(throughput.NUMBERS))
    for record in (RECORD, *throughput.elsewhere(throughput.NUMBERS)):
        assert "+changes" not in record["commit"]
    assert {each["name"] for each in RECORD["networks"]} <= throughput.ROUNDS.keys()


def test_what_the_page_says_in_words() -> None:
    if FIRST.has("captum all"):
        assert FIRST.rate("captum all") < FIRST.rate(FIRST.best_captum)
    for name in ("shipped", "channels-last", "folded"):
        assert FIRST.ratio(name, "bare gradient").middle < 1
    # The page says which: quick by instructions of the processor, slower without.
    low = FIRST.ratio("bfloat16", "bare gradient").middle
    assert low > 1.2 if FIRST.has("convolutions bfloat16") else 0.5 < low < 1
    assert FIRST.ratio("steps", "bare gradient").middle < 1
    if FIRST.has("float16"):
        # Native code rounds to it; layer by layer it ran at a twentieth of float32.
        assert 0.5 < FIRST.ratio("float16", "bare gradient").middle < 1
    near = {row["arm"]: row for row in FIRST.record["precisions"]}
    assert near["bfloat16 grad_cam"]["equal_votes"] > near["bfloat16 gradient"]["equal_votes"] > 0.8
    peaks = {
        (row["name"], row["way"], row["samples"], row["batch"]): row["peak_mib"]
        for row in RECORD["memory"]
    }
    for (name, way, samples, batch), peak in peaks.items():
        if way == "draw" and samples == 512:
            assert peak < 1.2 * peaks[name, way, 64, batch]
        if way == "captum" and samples == 512:
            assert peak > 1.2 * peaks[name, way, 64, batch]
        if way == "draw":
            assert all(
                peak < other
                for (of, how, *_), other in peaks.items()
                if (of, how) == (name, "captum") and name == throughput.MAIN
            )


def test_goals_are_judged_as_shown() -> None:
    assert verdict(Ratio(0.95, 0.9, 1.0), 0.95) == "met"
    assert verdict(Ratio(0.93, 0.9, 0.96), 0.95) == "met in some rounds"
    assert verdict(Ratio(0.9, 0.9, 0.9), 0.95) == "not met"
    found = goals([RECORD, RECORD | {"instructions": "others"}])
    assert len(found) == 6 and str(Ratio(1, 0.5, 2)) == "1.00 (0.50–2.00)"
    assert found[0].endswith(f"| goal | {RECORD['instructions']}, here | others |")


def test_a_record_stays_until_its_kind_of_processor_is_measured_again(tmp_path: Path) -> None:
    numbers = tmp_path / "throughput.json"
    for commit, kind in enumerate(("AVX2", "AMX", "AMX", "AVX-512", "AVX2", "AVX2")):
        throughput.keep({"instructions": kind, "commit": commit}, numbers)
        assert json.loads(numbers.read_text())["commit"] == commit
    others = {each["instructions"]: each["commit"] for each in throughput.elsewhere(numbers)}
    assert others == {"AMX": 2, "AVX-512": 3}
    assert throughput.instructions() in ("AMX", "AVX-512", "AVX2", "NEON")


def test_rates_and_ratios_are_of_rounds() -> None:
    made = [
        {"name": "captum 8", "samples": 8, "seconds": [1.0, 2.0, 4.0], "setup": 0.0},
        {"name": "captum all", "samples": 64, "seconds": [64.0, 16.0, 64.0], "setup": 0.0},
    ]
    two = Race({"name": "x", "arms": made})
    assert two.rate("captum 8") == 4 and two.best_captum == "captum 8"
    assert two.ratio("captum all", "captum 8") == Ratio(0.5, 0.125, 1.0)


@pytest.fixture(scope="module")
def small() -> Iterator[Subject]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield subject(throughput.SMALL)
    torch.set_num_threads(before)


def test_every_lever_is_the_same_network(small: Subject) -> None:
    chosen = [arm for arm in arms(small) if arm.lever]
    assert {arm.name for arm in chosen} <= LEVERS.keys()
    rows = {row["arm"]: row for row in levers(small, chosen)}
    assert all(row["cosine"] > 0.999 for row in rows.values())
    assert rows["shipped"]["equal_votes"] == rows["turned"]["equal_votes"] == 1
    assert not rows["bfloat16"]["same_bits"]
    module = turned(small.network.module)
    assert sum(isinstance(part, Turned) for part in module.modules()) == 3, "those of stride 1"


def test_convolutions_alone_are_those_of_a_gradient(small: Subject) -> None:
    noisy, target = small.noisy[:2], small.plan.target
    steps = by_onednn(small.network)
    assert steps is not None
    calls = convolutions(steps, noisy, target)
    assert len(calls) == 2 * 5
    slopes, _ = gradient_of(steps, noisy, target)
    deviation = torch.tensor(small.network.card.std)
    assert torch.equal(calls[-1]().permute(0, 2, 3, 1) / deviation, slopes)
    with pytest.raises(ValueError, match="no steps of oneDNN"):
        convolutions(other(small.network, small.network.module), noisy, target)


def test_precisions_are_compared_with_float32(
    small: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throughput_agreement, "SAMPLES", {"bfloat16": 8, "float16": 2})
    rows = {row["arm"]: row for row in precisions(small)}
    assert rows["bfloat16 gradient"]["cosine"] < rows["float16 gradient"]["cosine"] < 1
    assert rows["bfloat16 gradient"]["samples"] == 8


def test_an_arm_runs_once_to_warm_up_and_once_a_round() -> None:
    runs: list[str] = []
    made = [Arm(name, 4, partial(runs.append, name), most) for name, most in (("a", 9), ("b", 1))]
    rows = race(made, 2)
    assert runs == ["a", "a", "b", "a"]
    assert [len(row["seconds"]) for row in rows] == [2, 1]


def test_arms_to_be_compared_take_turns_within_a_round() -> None:
    runs: list[str] = []
    turns = {"a": 3, "b": 3, "c": 1, "d": 2}
    made = [Arm(name, 4, partial(runs.append, name), turns=n) for name, n in turns.items()]
    rows = race(made, 2)
    assert "".join(runs) == "abcd" + 2 * "abababcdd"
    assert [len(row["seconds"]) for row in rows] == [2] * 4


def test_captum_and_the_loop_make_maps_of_the_right_shape(small: Subject) -> None:
    maps = [captum(small, 8, 4), captum(small, 4, None), loop(small, 2)]
    assert [tuple(each.shape) for each in maps] == [(1, 3, 32, 32)] * 3  # type: ignore[attr-defined]
