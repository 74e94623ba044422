"""Regularizers of maps by hand, by finite differences, and against slow loops of their own."""

import math
from collections.abc import Callable
from weakref import WeakSet

import pytest
import torch
from torch import Tensor

from models.training.alignment import alignment, angles, hardest
from models.training.ascent import inside
from models.training.attributional import (
    cacr,
    changed,
    ig_sum_norm_aim,
    maps,
    own_probability,
    rival_probability,
    wacr,
)
from models.training.draws import Purpose
from models.training.paths import along
from models.training.pupil import Pupil
from tests.models.curved import DRAWS, LABELS, SHAPE, curved_pupil, pictures


@pytest.fixture
def pupil() -> Pupil:
    return curved_pupil()


@pytest.fixture
def clean() -> Tensor:
    return pictures()


@pytest.fixture
def there(clean: Tensor) -> Tensor:
    return inside(clean + DRAWS.within(Purpose.START, SHAPE, 20).double(), clean, 20)


def slope_of(pupil: Pupil, number: int, label: Tensor, point: Tensor, probability: bool) -> Tensor:
    """∂ p_number, or ∂ CE, at one point of one picture."""
    free = point.detach()[None].requires_grad_()
    logits = pupil.calm(free)
    value = logits.softmax(1)[0, number] if probability else -logits.log_softmax(1)[0, label]
    return torch.autograd.grad(value, free)[0][0]


def slow_maps(pupil: Pupil, x: Tensor, y: Tensor, label: Tensor, m: int) -> tuple[Tensor, ...]:
    """Base, change, true and rival map of one picture, point by point, as the notes write them."""
    black = torch.zeros_like(x)
    base, change, true, rival = (torch.zeros_like(x) for _ in range(4))
    for k in range(1, m + 1):
        base += (
            (x - black) / m * slope_of(pupil, int(label), label, black + k / m * (x - black), True)
        )
        change -= (y - x) / m * slope_of(pupil, 0, label, x + k / m * (y - x), False)
        point = black + k / m * (y - black)
        true += (y - black) / m * slope_of(pupil, int(label), label, point, True)
        with torch.no_grad():
            ranked = pupil.calm(point[None])[0].argsort(descending=True).tolist()
        best_other = next(c for c in ranked if c != int(label))
        rival += (y - black) / m * slope_of(pupil, best_other, label, point, True)
    return base, change, true, rival


def slow_terms(base: Tensor, change: Tensor, true: Tensor, rival: Tensor) -> tuple[float, float]:
    """CACR and WACR of one picture with plain loops."""
    pixels = [(r, c) for r in range(4) for c in range(4)]
    uniform, divergences = 1 / len(pixels), []
    for map_ in (rival, true):
        sums = {p: sum(float(map_[p][k]) for k in range(3)) for p in pixels}
        whole = sum(math.exp(v) for v in sums.values())
        shares = {p: math.exp(v) / whole for p, v in sums.items()}
        divergences.append(sum(uniform * math.log(uniform / shares[p]) for p in pixels))
    weighted = 0.0
    for b, d in zip(base.flatten().tolist(), change.flatten().tolist(), strict=True):
        weighted += b * d if (b > 0) == (d > 0) and b and d else abs(d)
    return divergences[0] - divergences[1], weighted


def test_maps_and_terms_agree_with_the_slow_ones(
    pupil: Pupil, clean: Tensor, there: Tensor
) -> None:
    seen = maps(pupil.calm, clean, there, LABELS, 5, pupil.parameters)
    contrasts = cacr(seen.true, seen.rival).detach()
    weights = wacr(seen.base, seen.change).detach()
    for index, label in enumerate(LABELS):
        slow = slow_maps(pupil, clean[index], there[index], label, 5)
        quick = (seen.base, seen.change, seen.true, seen.rival)
        for ours, theirs in zip(quick, slow, strict=True):
            assert torch.allclose(ours[index], theirs, atol=1e-12)
        contrast, weighted = slow_terms(*slow)
        assert float(contrasts[index]) == pytest.approx(contrast, abs=1e-12)
        assert float(weights[index]) == pytest.approx(weighted, abs=1e-12)


def test_cacr_by_hand() -> None:
    """Two pixels: P = (3/4, 1/4) for the true class, (1/2, 1/2) for the rival.

    KL(U ‖ P) = 1/2 ln (1/2)/(3/4) + 1/2 ln (1/2)/(1/4) = 1/2 ln 4/3, KL(U ‖ U) = 0.
    """
    true = torch.zeros(1, 1, 2, 3)
    true[0, 0, 0] = torch.tensor([0.5, 0.5, 0.0]) * math.log(3)
    assert float(cacr(true, torch.zeros_like(true))) == pytest.approx(-0.5 * math.log(4 / 3))


def test_cacr_with_a_gain_is_that_of_larger_maps(
    pupil: Pupil, clean: Tensor, there: Tensor
) -> None:
    """Against the plain loops; and where maps are small, the gain counts squared."""
    seen = maps(pupil.calm, clean, there, LABELS, 5, pupil.parameters)
    sharp = cacr(seen.true, seen.rival, 40.0).detach()
    for index, label in enumerate(LABELS):
        base, change, true, rival = slow_maps(pupil, clean[index], there[index], label, 5)
        contrast, _ = slow_terms(base, change, 40 * true, 40 * rival)
        assert float(sharp[index]) == pytest.approx(contrast, abs=1e-10)
    flat, twice = (cacr(seen.true, seen.rival, gain).detach() for gain in (1e-4, 2e-4))
    assert torch.allclose(twice, 4 * flat, rtol=1e-3) and (flat != 0).all()


def test_wacr_by_hand() -> None:
    base = torch.tensor([2.0, -3.0, 1.0, 0.0]).view(1, 2, 2, 1)
    change = torch.tensor([0.5, -1.0, -4.0, 7.0]).view(1, 2, 2, 1)
    assert float(wacr(base, change)) == 2 * 0.5 + 3 * 1 + 4 + 7


def numeric(function: Callable[[], Tensor], parameter: Tensor, step: float = 1e-6) -> Tensor:
    """Central differences of a scalar function in about eight entries of a parameter; nan else."""
    flat = parameter.data.view(-1)
    found = torch.full((parameter.numel(),), torch.nan, dtype=torch.float64)
    for index in range(0, parameter.numel(), max(1, parameter.numel() // 8)):
        kept = float(flat[index])
        values = []
        for side in (step, -step):
            flat[index] = kept + side
            values.append(float(function().detach()))
        flat[index] = kept
        found[index] = (values[0] - values[1]) / (2 * step)
    return found.view_as(parameter)


def assert_same_where_known(exact: Tensor, found: Tensor) -> None:
    known = ~found.isnan()
    assert torch.allclose(exact[known], found[known], atol=1e-6, rtol=1e-4)


def total_cacr(pupil: Pupil, clean: Tensor, there: Tensor) -> Tensor:
    seen = maps(pupil.calm, clean, there, LABELS, 3, pupil.parameters)
    return cacr(seen.true, seen.rival).mean()


def total_wacr(pupil: Pupil, clean: Tensor, there: Tensor) -> Tensor:
    seen = maps(pupil.calm, clean, there, LABELS, 3, pupil.parameters)
    return wacr(seen.base, seen.change).mean()


def total_norm(pupil: Pupil, clean: Tensor, there: Tensor) -> Tensor:
    return changed(pupil.calm, clean, LABELS, 3, pupil.parameters)(there).mean()


def total_alignment(pupil: Pupil, clean: Tensor, there: Tensor) -> Tensor:
    pair = angles(pupil.calm, clean, LABELS), angles(pupil.calm, there, LABELS)
    return alignment(hardest(*pair)).mean()


@pytest.mark.parametrize("term", [total_cacr, total_wacr, total_norm, total_alignment])
def test_slopes_of_regularizers_are_those_of_finite_differences(
    pupil: Pupil, clean: Tensor, there: Tensor, term: Callable[..., Tensor]
) -> None:
    exact = torch.autograd.grad(term(pupil, clean, there), pupil.parameters, allow_unused=True)
    steep = 0.0
    for parameter, slope in zip(pupil.parameters, exact, strict=True):
        found = numeric(lambda: term(pupil, clean, there), parameter)
        ours = torch.zeros_like(parameter) if slope is None else slope
        assert_same_where_known(ours, found)
        steep = max(steep, float(found.nan_to_num().abs().max()))
    assert steep > 1e-4, "a flat function would pass with any slope of 0"


def test_slope_of_the_attack_is_that_of_finite_differences(
    pupil: Pupil, clean: Tensor, there: Tensor
) -> None:
    aim, free = ig_sum_norm_aim(pupil.calm, clean, LABELS, 3, 0.5), there.clone().requires_grad_()
    (exact,) = torch.autograd.grad(aim(free).sum(), free)
    found = numeric(lambda: aim(there).sum(), there, step=1e-4)
    assert_same_where_known(exact, found)


def test_a_path_of_many_points_is_complete(pupil: Pupil, clean: Tensor) -> None:
    """Integrated gradients sum to the difference of values, with an error of order 1/steps."""
    own, black = own_probability(pupil.calm, LABELS), torch.zeros_like(clean)
    exact = (own(clean) - own(black)).detach()
    errors = [
        (along(own, black, clean, steps).flatten(1).sum(1) - exact).abs().max().item()
        for steps in (100, 200, 400)
    ]
    assert errors[2] < 1e-2
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.1)


class Box:
    """Holds what autograd keeps, and is gone when autograd lets go of it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def test_a_path_keeps_one_point_in_memory(pupil: Pupil, clean: Tensor) -> None:
    """However many points, autograd never holds more than with one, forwards or backwards."""
    most = []
    for steps in (1, 12):
        boxes: WeakSet[Box] = WeakSet()
        peak = 0

        def pack(tensor: Tensor, boxes: WeakSet[Box] = boxes) -> Box:
            nonlocal peak
            box = Box(tensor)
            boxes.add(box)
            peak = max(peak, sum(each.tensor.numel() for each in boxes))
            return box

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda box: box.tensor):
            own, black = own_probability(pupil.calm, LABELS), torch.zeros_like(clean)
            made = along(own, black, clean, steps, pupil.parameters).abs().sum()
            torch.autograd.grad(made, pupil.parameters, allow_unused=True)
        most.append(peak)
    assert most[0] == most[1] > 0


def test_no_path_of_no_points(pupil: Pupil, clean: Tensor) -> None:
    with pytest.raises(ValueError, match=r"steps is 0; a path must have at least 1"):
        along(own_probability(pupil.calm, LABELS), torch.zeros_like(clean), clean, 0)


def test_rival_is_the_largest_other_class_at_each_picture() -> None:
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]])
    values = rival_probability(lambda pictures: logits, torch.tensor([0, 2]))(torch.zeros(2))
    assert torch.allclose(values, torch.stack([logits.softmax(1)[0, 2], logits.softmax(1)[1, 1]]))
