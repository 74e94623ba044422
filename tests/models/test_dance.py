"""What the paper claims of DANCE, on networks small enough to know the truth.

Claims: Lu, Guo, Xing, Noble (2021): the range over decoys shows what gradient saturation hides and
how features depend on each other; theorem 1 gives its leading term.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from models.attribution.gradient import gradient
from models.decoys.aggregation import AGGREGATIONS, presented, value_range
from models.decoys.dance import base, contribution, dance
from models.decoys.dancer import Dancer
from models.decoys.finding import Finder
from models.decoys.part import Part
from models.decoys.search import Search
from models.loading import Network

AsNetwork = Callable[[nn.Module, int], Network]
SIDE = 4


class Formula(nn.Module):
    """Logits (n, 2): a formula of the red values of the first pixels of each row, and 0."""

    def __init__(self, formula: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.formula = formula

    def forward(self, x: Tensor) -> Tensor:
        """x: (n, 3, 4, 4); features a, b, c stand in rows 0, 1, 2 of the first column."""
        score = self.formula(*(x[:, 0, row, 0] for row in range(3)))
        return torch.stack([score, torch.zeros_like(score)], dim=1)


def seen_through(formula: Callable[[Tensor, Tensor, Tensor], Tensor]) -> nn.Module:
    """The formula behind a layer that shows the picture as it is."""
    layer = nn.Conv2d(3, 3, 1, bias=False)
    layer.weight.data = torch.eye(3)[:, :, None, None]
    return nn.Sequential(layer, Formula(formula))


def with_features(*values: float) -> NDArray[np.uint8]:
    """A picture whose features have these values in [0, 1]; the rest is a ramp."""
    picture = np.linspace(0, 255, SIDE * SIDE * 3).reshape(SIDE, SIDE, 3).astype(np.uint8)
    picture[: len(values), 0, 0] = [round(255 * value) for value in values]
    return picture


# Both the tolerance and the cap allow a quarter of the way from black to white.
EACH_VALUE = Search("patches", "0", patch=1, stride=1, tolerance=0.9, cap=64, steps=40)


def plain(network: Network, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """|gradient| of the features a, b, c."""
    maps = gradient(network, torch.from_numpy(picture[None]).float(), 0)
    return maps[0, :3, 0, 0].abs().numpy()


def danced(network: Network, picture: NDArray[np.uint8], search: Search) -> NDArray[np.float64]:
    """Z of the features a, b, c."""
    return dance(network, picture, 0, search).range[:3, 0, 0]


def saturated(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return 10 * torch.sigmoid(20 * (a - 0.5)) + 0.8 * b


def test_a_saturated_feature_is_missed_by_the_gradient_and_found_by_decoys(
    as_network: AsNetwork,
) -> None:
    network = as_network(seen_through(saturated), SIDE)
    picture = with_features(0.85, 0.5, 0.5)
    without = [with_features(0.0, 0.5, 0.5), with_features(0.85, 0.0, 0.5)]
    logits = network(torch.from_numpy(np.stack([picture, *without])).float())[:, 0]
    assert logits[0] - logits[1] > 10 * (logits[0] - logits[2]) > 0, "feature a decides"
    slopes, moved = plain(network, picture), danced(network, picture, EACH_VALUE)
    assert slopes[1] > 2 * slopes[0], "the gradient prefers b"
    assert moved[0] > 0.01 and moved[1] == moved[2] == 0, "the range sees a alone"


def conjunction(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return torch.relu(a + b - 1) + c


def disjunction(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return 1 - torch.relu(1 - a - b) + 0.01 * c


def test_features_that_act_together_stand_out_from_one_that_acts_alone(
    as_network: AsNetwork,
) -> None:
    """AND: the gradient gives three features the same score; the range tells the pair from c."""
    network = as_network(seen_through(conjunction), SIDE)
    picture = with_features(0.55, 0.55, 0.55)
    slopes, moved = plain(network, picture), danced(network, picture, EACH_VALUE)
    assert slopes[0] == slopes[1] == slopes[2] > 0
    assert moved[0] == moved[1] > 0 and moved[2] == 0


def test_a_satisfied_or_is_missed_by_the_gradient_and_found_by_decoys(
    as_network: AsNetwork,
) -> None:
    network = as_network(seen_through(disjunction), SIDE)
    picture = with_features(0.6, 0.6, 0.6)
    slopes, moved = plain(network, picture), danced(network, picture, EACH_VALUE)
    assert slopes[0] == slopes[1] == 0 < slopes[2]
    assert moved[0] == moved[1] > 0 and moved[2] == 0


@pytest.mark.parametrize("formula", [conjunction, disjunction])
def test_moving_one_feature_changes_the_score_of_the_other(
    formula: Callable[[Tensor, Tensor, Tensor], Tensor], as_network: AsNetwork
) -> None:
    """Decoys of b's pixel alone: a's score has a range, though a is never touched."""
    network = as_network(seen_through(formula), SIDE)
    picture = with_features(0.55, 0.55, 0.55)
    found = list(Finder(network, picture, EACH_VALUE).find())
    pictures = np.concatenate([decoys.pictures for decoys in found])
    numbers = np.concatenate([decoys.records.numbers for decoys in found])
    b_alone = pictures[numbers // 2 == SIDE]
    assert len(b_alone) == 2 and ((b_alone != picture).any((0, 3)).nonzero()[0] == [1]).all()
    scores = gradient(network, torch.from_numpy(b_alone).float(), 0).numpy()
    moved = value_range(scores)
    assert moved[0, 0, 0] > 0 and moved[2, 0, 0] == 0


def test_a_linear_network_has_nothing_to_see(as_network: AsNetwork) -> None:
    linear = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.Flatten(), nn.Linear(4 * SIDE * SIDE, 2))
    part = dance(as_network(linear, SIDE), with_features(0.3, 0.9), 0, EACH_VALUE)
    assert not part.range.any() and part.records.null < len(part.records)
    assert not presented(part.range).any()


class Smooth(nn.Module):
    """Softplus of fixed random directions: a network with a Hessian."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.Generator(np.random.Philox(key=8))
        self.rows = torch.from_numpy(rng.normal(size=(6, 3 * SIDE * SIDE)) / 4).float()
        self.tail = torch.from_numpy(rng.normal(size=6)).float()

    def forward(self, x: Tensor) -> Tensor:
        score = nn.functional.softplus(x.flatten(1) @ self.rows.to(x).T, 3.0) @ self.tail.to(x)
        return torch.stack([score, torch.zeros_like(score)], dim=1)


def test_the_leading_term_of_theorem_1_holds_and_its_error_has_the_right_order(
    as_network: AsNetwork,
) -> None:
    """Z_i = |Σ_k (x̃⁺_k − x̃⁻_k) H_ki| + O(change²), for the decoys of largest and smallest score.

    The factor is 1 for gradients: with the paper's ½ the error would not shrink faster than Z. Its
    theorem leaves the constant open and allows for that.
    """
    layer = nn.Conv2d(3, 3, 1, bias=False)
    layer.weight.data = torch.eye(3)[:, :, None, None]
    network = as_network(nn.Sequential(layer, Smooth()), SIDE)
    picture = with_features(0.5, 0.5)
    clean = network.normalised(torch.from_numpy(picture[None]).float()).double()

    def score(x: Tensor) -> Tensor:
        return network.module[1](x.reshape(1, 3, SIDE, SIDE))[0, 0]  # type: ignore[operator,index]

    hessian = torch.autograd.functional.hessian(score, clean.flatten()).numpy()
    errors, halves, sizes = [], [], []
    for cap in (64, 32, 16):
        search = Search("patches", "0", 2, 2, tolerance=10, cap=cap, steps=10)
        pictures = np.concatenate([d.pictures for d in Finder(network, picture, search).find()])
        inputs = network.normalised(torch.from_numpy(pictures).float()).double().requires_grad_()
        maps = torch.autograd.grad(network.module[1](inputs)[:, 0].sum(), inputs)[0]  # type: ignore[operator,index]
        scores, moved = maps.flatten(1).numpy(), inputs.detach().flatten(1).numpy()
        every = np.arange(scores.shape[1])
        apart = moved[scores.argmax(0)] - moved[scores.argmin(0)]
        leading = np.abs((apart * hessian[:, every].T).sum(1))
        exact = scores.max(0) - scores.min(0)
        errors.append(np.abs(exact - leading).max())
        halves.append(np.abs(exact - leading / 2).max() / exact.max())
        sizes.append(exact.max())
    assert errors[0] > 3 * errors[1] > 9 * errors[2] > 0
    assert sizes[0] > 1.5 * sizes[1] > 2.2 * sizes[2]
    assert errors[2] < 0.05 * sizes[2]
    assert min(halves) > 0.45


@pytest.mark.parametrize("scheme", ["patches", "lattice"])
@pytest.mark.parametrize("name", ["gradient", "smoothgrad", "integrated_gradients"])
def test_the_map_is_the_range_of_the_base_maps_of_all_decoys(
    scheme: str, name: str, tiny: Network, digit: NDArray[np.uint8]
) -> None:
    """Computed again in one go, in another shape of batch."""
    search = Search(scheme, "features.6", tolerance=0.3, steps=4)
    if scheme == "patches" and name != "gradient":
        search = Search(scheme, "features.6", patch=6, stride=6, tolerance=0.3, steps=4)
    part = dance(tiny, digit, 3, search, name)
    pictures = np.concatenate([d.pictures for d in Finder(tiny, digit, search).find()])
    scores = base(name)(tiny, torch.from_numpy(pictures).float(), 3).numpy()
    np.testing.assert_allclose(part.range, value_range(scores), rtol=1e-2, atol=1e-4)
    assert part.range.max() > 0


def test_the_same_comes_out_whatever_the_cut_and_the_order(
    tiny: Network, digit: NDArray[np.uint8]
) -> None:
    search = Search("lattice", "features.6", steps=3)
    heard: list[tuple[int, int]] = []
    whole = dance(tiny, digit, 3, search, report=lambda done, all_: heard.append((done, all_)))
    finder, maps = Finder(tiny, digit, search), base("gradient")
    cuts = [(17, finder.count), (0, 1), (1, 17)]
    parts = [contribution(tiny, finder, maps, 3, start, stop) for start, stop in cuts]
    for order in (parts, parts[::-1], [Part.merged(parts[:2]), parts[2]]):
        again = Part.merged(order)
        np.testing.assert_array_equal(again.range, whole.range)
        np.testing.assert_array_equal(again.records.distances, whole.records.distances)
    assert heard[-1] == (finder.count, finder.count)


def test_no_decoys_yet_is_no_range(tiny: Network, digit: NDArray[np.uint8]) -> None:
    finder = Finder(tiny, digit, Search("lattice", "features.6", steps=1))
    part = contribution(tiny, finder, gradient, 3, 4, 4)
    assert not part.range.any() and not len(part.records)


def test_an_unknown_base_is_named() -> None:
    with pytest.raises(ValueError, match="base is 'rise'; it must be one of gradient, smoothgrad"):
        base("rise")


def shuffles() -> Iterator[list[int]]:
    rng = np.random.Generator(np.random.Philox(key=3))
    for _ in range(5):
        yield rng.permutation(20).tolist()


@pytest.mark.parametrize("name", sorted(AGGREGATIONS))
def test_aggregations_do_not_depend_on_the_order_of_maps(name: str) -> None:
    rng = np.random.Generator(np.random.Philox(key=2))
    maps = (rng.normal(size=(20, 5, 5, 3)) * 10.0 ** rng.integers(-6, 6, (20, 1, 1, 1))).astype("f")
    expected = AGGREGATIONS[name](maps)
    for order in shuffles():
        np.testing.assert_array_equal(AGGREGATIONS[name](maps[order]), expected)
    slow = {"range": np.ptp, "mean": np.mean, "deviation": np.std}[name](maps.astype(float), axis=0)
    np.testing.assert_allclose(expected, slow, rtol=1e-6, atol=1e-12)


@given(st.integers(0, 1000))
def test_a_presented_map_lies_in_the_unit_interval_and_keeps_its_order(key: int) -> None:
    aggregated = np.random.Generator(np.random.Philox(key=key)).normal(size=(20, 10, 3)) ** 3
    shown, flat = presented(aggregated), np.abs(aggregated).max(axis=2)
    assert shown.min() >= 0 and shown.max() == 1
    assert (shown == 1).sum() == 10, "a twentieth of the pixels is cut"
    order = np.argsort(flat, axis=None)
    assert (np.diff(shown.ravel()[order]) >= 0).all()


def test_a_map_of_few_pixels_is_presented_by_its_largest() -> None:
    aggregated = np.zeros((10, 10, 3))
    aggregated[2, 3, 1], aggregated[5, 5, 0] = -4, 2
    shown = presented(aggregated)
    assert shown[2, 3] == 1 and shown[5, 5] == 0.5 and shown.sum() == 1.5


def test_a_dancer_goes_on_with_the_same_search_and_begins_another(
    tiny: Network, digit: NDArray[np.uint8]
) -> None:
    dancer, search = Dancer(tiny), Search("lattice", "features.6", steps=3)
    outlook = dancer.outlook(digit, search, 3)
    assert outlook.count == 18 and outlook.limit == search.tolerance * outlook.deviation > 0
    found = np.concatenate([d.pictures for d in Finder(tiny, digit, search).find(0, 3)])
    np.testing.assert_array_equal(outlook.pictures, found)
    parts = [dancer.part(digit, 3, search, "gradient", *ends) for ends in ((0, 7), (7, 18))]
    whole = dance(tiny, digit, 3, search)
    np.testing.assert_array_equal(Part.merged(parts).range, whole.range)
    other = dancer.outlook(255 - digit, search, 0)
    assert other.deviation != outlook.deviation and other.pictures.shape == (0, 16, 16, 3)


def test_a_dancer_names_what_does_not_fit(tiny: Network, digit: NDArray[np.uint8]) -> None:
    dancer = Dancer(tiny)
    with pytest.raises(ValueError, match=r"layer is 'classifier'; it must be one of features\.0,"):
        dancer.outlook(digit, Search("lattice", "classifier"), 0)
    with pytest.raises(ValueError, match="target is 10; it must be a class index below 10"):
        dancer.part(digit, 10, Search("lattice", "features.6"), "gradient", 0, 1)
