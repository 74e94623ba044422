"""The page about DANCE and its controls is what its numbers say; some numbers are measured anew."""

import json
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from bench import decoys_comparison
from bench.decoys import SETTINGS, chosen_files
from bench.decoys_arms import ARMS
from bench.decoys_compared import Setting, Unit
from bench.decoys_duels import (
    ADAPTIVE,
    CONTROLS,
    QUALITY,
    TRANSFER,
    Duel,
    Measure,
    average,
    duel,
    selected,
    value,
)
from bench.provenance import ROOT
from models.decoys.dance import dance
from models.evaluation.robustness import AIMS
from models.evaluation.scores import magnitude
from models.loading import Network
from models.registry import card

RECORD = json.loads(decoys_comparison.NUMBERS.read_text())
UNITS = RECORD["units"]
PHOTOGRAPHS, DIGITS = "efficientnet-lite0", "digits-tiny"


def test_the_page_is_written_from_the_numbers() -> None:
    assert decoys_comparison.PAGE.read_text() == decoys_comparison.page(RECORD)


def test_everything_that_is_set_was_measured() -> None:
    assert [s.name for s in SETTINGS] == [each["name"] for each in RECORD["settings"]]
    expected = {(s.name, b, f.stem) for s in SETTINGS for b in s.bases for _, f in chosen_files(s)}
    assert {(u["setting"], u["base"], u["picture"]) for u in UNITS} == expected
    assert len(UNITS) == len(expected)
    for unit in UNITS:
        assert "+changes" not in unit["commit"]
        for kind in ("quality", "transfer"):
            assert set(unit[kind]) == {arm.name for arm in ARMS}
        for aims in (*unit["transfer"].values(), *(unit["adaptive"] or {}).values()):
            assert set(aims) == set(AIMS)


@pytest.mark.parametrize("unit", UNITS, ids=lambda u: f"{u['setting']}-{u['base']}-{u['picture']}")
def test_arms_are_as_many_and_as_far(unit: dict[str, Any]) -> None:
    sizes = unit["sizes"]
    assert sizes["scattered"] == sizes["decoys"]
    assert sizes["bounded"]["linf"] == pytest.approx(sizes["decoys"]["linf"], rel=0.02)
    assert unit["null"] == 0 or unit["null"] < unit["maps"] // 2


def test_one_unit_is_measured_anew() -> None:
    """Attacks left out; the arm called DANCE is the map that is served.

    Not to the last bit: another processor may round a decoy differently.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    setting: Setting = SETTINGS[0]
    known = next(u for u in UNITS if (u["base"], u["picture"]) == ("gradient", "3"))
    file = ROOT / setting.photographs / "3.png"
    unit = Unit(setting, Network(card(setting.model)), "gradient", file, 3)
    pictures = unit.sources(unit.picture)
    scores = unit.scores(pictures)
    served = dance(unit.network, unit.picture, unit.target, unit.search)
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(scores["dance"], magnitude(served.range))
    assert len(pictures["decoys"]) == known["maps"]
    for arm in ARMS:
        found = unit.quality(scores[arm.name])
        assert found == pytest.approx(known["quality"][arm.name], rel=0.05, abs=0.02)


def test_verdicts_are_those_of_a_sign_test() -> None:
    """One-sided, 5 %: 5 of 5 (1/32), 9 of 10 (11/1024), 11 of 14 (470/16384), not 8 of 10 (56)."""
    assert [Duel(5, 0).verdict, Duel(0, 5).verdict, Duel(4, 0).verdict] == [
        "better",
        "worse",
        "open",
    ]
    assert [Duel(9, 1).verdict, Duel(8, 2).verdict, Duel(0, 0).verdict] == [
        "better",
        "open",
        "open",
    ]
    assert [Duel(11, 3).verdict, Duel(10, 4).verdict] == ["better", "open"]


def unit(ours: float, theirs: float, sensitivities: tuple[float | None, ...]) -> dict[str, Any]:
    attacked = {str(n): {"sensitivity": s} for n, s in enumerate(sensitivities)}
    return {
        "quality": {"dance": {"fidelity": ours}, "plain": {"fidelity": theirs}},
        "transfer": {"dance": attacked, "plain": attacked},
        "adaptive": None,
    }


def test_duels_and_means_by_hand() -> None:
    units = [unit(1, 2, (1.0, 3.0, None)), unit(3, 2, (None, None)), unit(2, 2, (6.0,))]
    assert duel(units, "plain", QUALITY[0]) == Duel(wins=1, losses=1)
    upward = Measure("quality", "fidelity", "", up=True)
    assert duel(units[:1], "plain", upward) == Duel(0, 1)
    assert duel(units, "plain", TRANSFER[0]) == Duel(0, 0)
    assert average(units, "plain", QUALITY[0]) == 2
    assert average(units, "dance", TRANSFER[0]) == 4
    assert value(units[0], "dance", ADAPTIVE[0]) is None


def test_a_map_attacked_itself_counts_by_the_worse_attack() -> None:
    """Aim a: 3 and 5; b: one attack found nothing; c: neither did."""
    tried = unit(1, 1, ())
    tried["transfer"]["dance"] = {
        aim: {"sensitivity": moved, "top_k": kept}
        for aim, moved, kept in (("a", 3.0, 0.5), ("b", 4.0, 0.75), ("c", None, 1.0))
    }
    tried["adaptive"] = {
        "dance": {
            aim: {"sensitivity": moved, "top_k": kept}
            for aim, moved, kept in (("a", 5.0, 0.75), ("b", None, 1.0), ("c", None, 1.0))
        }
    }
    sensitivity, top_k, *_ = ADAPTIVE
    assert value(tried, "dance", sensitivity) == 4.5
    assert value(tried, "dance", top_k) == 0.75
    assert [value(tried, "dance", top_k, aim) for aim in "abc"] == [0.5, 0.75, 1.0]
    assert value(tried, "dance", sensitivity, "c") is None
    assert value(tried, "dance", TRANSFER[0]) == 3.5


def fought(setting: str, control: str, measure: Measure) -> Duel:
    return duel(selected(RECORD, "gradient", setting), control, measure)


def mean(setting: str, arm: str, measure: Measure) -> float:
    found = average(selected(RECORD, "gradient", setting), arm, measure)
    assert found is not None
    return found


def test_what_the_page_says_of_photographs() -> None:
    model, (fidelity, deletion, _), (sensitivity, top_k, *_) = PHOTOGRAPHS, QUALITY, TRANSFER
    noise_and_patches = ("bounded_range", "scattered_range", "constant_range")
    for measure in (fidelity, sensitivity):
        assert fought(model, "plain", measure) == Duel(4, 0)
        ratio = mean(model, "decoys_mean", measure) / mean(model, "plain", measure)
        assert ratio == pytest.approx(1, abs=0.03)
    for control in noise_and_patches:
        assert fought(model, control, sensitivity) == Duel(0, 4)
        assert fought(model, control, fidelity).losses in (2, 3)
    assert fought(model, "plain", deletion) == Duel(0, 4)
    assert all(mean(model, arm.name, fidelity) > 0 for arm in ARMS)
    assert mean(DIGITS, "plain", top_k) > 2 * mean(model, "plain", top_k)


def test_what_the_page_says_of_the_photograph_whose_maps_are_attacked() -> None:
    setting = f"{PHOTOGRAPHS}, 8 decoys"
    sensitivity, top_k, kendall, _ = ADAPTIVE
    for measure in (sensitivity, top_k, kendall):
        assert fought(setting, "plain", measure) == Duel(1, 0)
        for control in ("bounded_range", "scattered_range", "constant_range"):
            assert fought(setting, control, measure) == Duel(0, 1)
    (found,) = selected(RECORD, "gradient", setting)
    assert found["maps"] == 8 and found["search"]["layer"] == card(PHOTOGRAPHS).defaults.layer
    there = [(u["base"], u["picture"]) for u in UNITS if u["setting"] == setting]
    bases = ("gradient", "smoothgrad", "integrated_gradients")
    assert there == [(base, "astronaut") for base in bases]
    for control in ("bounded_range", "scattered_range"):
        tried = found["adaptive"][control].values()
        assert any(each["sensitivity"] is None and each["top_k"] == 1 for each in tried)


def test_what_the_page_says_of_digits() -> None:
    model, (fidelity, *_), (sensitivity, *_) = DIGITS, QUALITY, TRANSFER
    for measure, control in product((fidelity, sensitivity), ("plain", "decoys_mean")):
        assert fought(model, control, measure) == Duel(0, 10)
    assert fought(model, "constant_range", sensitivity) == Duel(0, 10)
    assert fought(model, "scattered_range", sensitivity).verdict == "better"
    integrated = selected(RECORD, "integrated_gradients", model)
    assert duel(integrated, "scattered_range", sensitivity).verdict == "worse"
    assert mean(model, "dance", ADAPTIVE[0]) > 3 * mean(model, "plain", ADAPTIVE[0])


def test_every_control_is_fought() -> None:
    text = decoys_comparison.PAGE.read_text()
    for control in CONTROLS:
        assert f"\n| {decoys_comparison.TITLES[control]} | " in text
