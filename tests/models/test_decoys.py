"""Decoys satisfy every constraint, whatever the network, the picture and the search."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from models.decoys.constraint import Kept
from models.decoys.finding import Decoys, Finder
from models.decoys.lattice import Lattice
from models.decoys.records import Records
from models.decoys.search import Search
from models.layers import Field
from models.loading import Network

AsNetwork = Callable[[nn.Module, int], Network]


def all_of(finder: Finder) -> tuple[NDArray[np.uint8], Records]:
    """Every decoy, by number."""
    found = list(finder.find())
    pictures = np.concatenate([decoys.pictures for decoys in found])
    numbers = np.concatenate([decoys.records.numbers for decoys in found])
    return pictures[np.argsort(numbers)], Records.merged(d.records for d in found)


def allowed(side: int, search: Search, finder: Finder, number: int) -> NDArray[np.bool_]:
    """Where decoy `number` may differ, from the definition: pixel by pixel."""
    spacing = finder.lattice.spacing if search.scheme == "lattice" else 10**6
    along = spacing // search.stride if search.scheme == "lattice" else -(-side // search.stride)
    top, left = (search.stride * place for place in divmod(number // 2, along))
    inside = [
        [at >= first and (at - first) % spacing < search.patch for at in range(side)]
        for first in (top, left)
    ]
    return np.asarray(np.outer(*inside))


@st.composite
def fronts(draw: st.DrawFn) -> nn.Module:
    """One to three random layers and their weights, from integers."""
    parts: list[nn.Module] = []
    channels = 3
    for _ in range(draw(st.integers(1, 3))):
        kernel, stride = draw(st.sampled_from([(1, 1), (3, 1), (3, 2), (5, 1), (2, 2)]))
        wide = draw(st.integers(1, 4))
        convolution = nn.Conv2d(channels, wide, kernel, stride, kernel // 2)
        rng = np.random.Generator(np.random.Philox(key=draw(st.integers(0, 1 << 20))))
        weight = rng.normal(size=convolution.weight.shape) / kernel
        convolution.weight.data = torch.from_numpy(weight).float()
        kinds = st.sampled_from([nn.ReLU(), nn.ReLU6(), nn.Softplus(), nn.Identity(), nn.Sigmoid()])
        parts += [convolution, draw(kinds)]
        channels = wide
    return nn.Sequential(*parts)


searches = st.builds(
    Search,
    scheme=st.sampled_from(["patches", "lattice"]),
    layer=st.just("0"),
    patch=st.integers(1, 4),
    stride=st.integers(1, 4),
    tolerance=st.sampled_from([0.0, 0.01, 0.05, 0.3, 2.0]),
    cap=st.sampled_from([1, 8, 100, 255]),
    steps=st.integers(1, 6),
)


@settings(max_examples=30, deadline=None)
@given(front=fronts(), search=searches, key=st.integers(0, 1 << 20), side=st.sampled_from([6, 9]))
def test_every_decoy_satisfies_every_constraint(
    as_network: AsNetwork, front: nn.Module, search: Search, key: int, side: int
) -> None:
    network = as_network(nn.Sequential(front, nn.Flatten()), side)
    rng = np.random.Generator(np.random.Philox(key=key))
    picture = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    finder = Finder(network, picture, search)
    pictures, records = all_of(finder)
    assert records.numbers.tolist() == list(range(finder.count))

    pixels = torch.from_numpy(np.stack([picture, *pictures])).float()
    with torch.no_grad():
        values = front(network.normalised(pixels)).double()
    reached = (values[1:] - values[:1]).abs().flatten(1).amax(1).numpy()
    limit = search.tolerance * float(values[0].std(correction=0))
    # The reference is computed in another shape of batch: its last bits may differ.
    assert (reached <= limit * (1 + 1e-4) + 1e-5).all()
    assert (records.distances <= finder.limit).all()
    np.testing.assert_allclose(records.distances, reached, rtol=1e-3, atol=1e-5)

    change = pictures.astype(int) - picture
    assert np.abs(change).max() <= search.cap
    for number in range(finder.count):
        assert not change[number][~allowed(side, search, finder, number)].any()
    size = np.abs(change).reshape(len(change), -1)
    np.testing.assert_array_equal(records.l1, size.sum(1))
    np.testing.assert_array_equal(records.linf, size.max(1))
    signs = np.where(records.numbers % 2, -1, 1)[:, None]
    gains = (change.reshape(len(change), -1) * signs).clip(0).sum(1)
    np.testing.assert_array_equal(records.gains, gains)
    assert ((records.patches == 0) == (records.linf == 0)).all()
    assert records.null == (records.linf == 0).sum()


def _identity() -> nn.Conv2d:
    layer = nn.Conv2d(3, 3, 1, bias=False)
    layer.weight.data = torch.eye(3)[:, :, None, None]
    return layer


@pytest.mark.parametrize("scheme", ["patches", "lattice"])
def test_the_optimum_is_found_where_it_is_known(as_network: AsNetwork, scheme: str) -> None:
    """A layer that shows every value: each may move by the tolerance, by the cap, or to the end."""
    network = as_network(nn.Sequential(_identity(), nn.Flatten()), 8)
    picture = np.full((8, 8, 3), 100, np.uint8)
    picture[4:] = 150
    picture[0, 0], picture[1, 1] = 250, 2
    limit = 0.4 * (picture / 255).std() * 255
    finder = Finder(network, picture, Search(scheme, "0", 2, 2, 0.4, 30, 40))
    _, records = all_of(finder)
    for number in range(finder.count):
        inside = allowed(8, finder.search, finder, number)
        room = picture[inside] if number % 2 else 255 - picture[inside]
        optimum = np.minimum(room, int(limit)).sum()
        assert 0.9 * optimum <= records.gains[number] <= optimum
    assert 9 < limit < 30, "the tolerance decides, not the cap"


def test_a_wider_tolerance_a_larger_cap_and_more_steps_gain_more(
    tiny: Network, digit: NDArray[np.uint8]
) -> None:
    search = Search("lattice", "features.6", tolerance=0.1, cap=16, steps=10)
    gains = [
        all_of(Finder(tiny, digit, each))[1].gains.mean()
        for each in (
            search,
            replace(search, tolerance=0.3),
            replace(search, cap=48),
            replace(search, steps=40),
        )
    ]
    assert min(gains[1:]) > gains[0] > 0


def test_without_tolerance_a_layer_that_shows_everything_has_null_decoys_only(
    as_network: AsNetwork, digit: NDArray[np.uint8]
) -> None:
    network = as_network(nn.Sequential(_identity(), nn.Flatten()), 16)
    pictures, records = all_of(Finder(network, digit, Search("lattice", "0", tolerance=0)))
    assert records.null == len(records) == 2
    assert (pictures == digit).all()


def test_what_the_layer_does_not_see_changes_nearly_by_the_whole_cap(
    as_network: AsNetwork, digit: NDArray[np.uint8]
) -> None:
    blind = nn.Conv2d(3, 1, 1)
    blind.weight.data, blind.bias.data = (
        torch.tensor([1.0, 0, 0])[None, :, None, None],
        torch.ones(1),
    )
    network = as_network(nn.Sequential(blind, nn.Flatten()), 16)
    search = Search("lattice", "0", tolerance=0.02, cap=20, steps=60)
    pictures, _ = all_of(Finder(network, digit, search))
    change = pictures.astype(int) - digit
    assert np.abs(change[..., 0]).max() <= 0.02 * digit.std()
    room = np.stack([255 - digit[..., 1:], digit[..., 1:]]).clip(max=20).sum((1, 2, 3))
    assert (np.abs(change[..., 1:]).sum((1, 2, 3)) > 0.9 * room).all()


@pytest.mark.parametrize("scheme", ["patches", "lattice"])
def test_decoys_do_not_depend_on_how_the_work_is_cut(
    scheme: str, tiny: Network, digit: NDArray[np.uint8]
) -> None:
    finder = Finder(tiny, digit, Search(scheme, "features.6", steps=4))
    whole, records = all_of(finder)

    def cut(start: int, stop: int) -> list[Decoys]:
        return list(Finder(tiny, digit, finder.search).find(start, stop))

    parts = [*cut(5, finder.count), *cut(0, 1), *cut(1, 5)]
    numbers = np.concatenate([d.records.numbers for d in parts])
    pictures = np.concatenate([d.pictures for d in parts])[np.argsort(numbers)]
    np.testing.assert_array_equal(pictures, whole)
    merged = Records.merged(d.records for d in parts)
    np.testing.assert_array_equal(merged.distances, records.distances)


def test_only_the_layers_up_to_the_one_named_run(tiny: Network, digit: NDArray[np.uint8]) -> None:
    calls = dict.fromkeys((name for name, _ in tiny.module.named_modules()), 0)
    hooks = [
        module.register_forward_hook(
            lambda *_, name=name: calls.update({name: calls[name] + 1})  # type: ignore[misc]
        )
        for name, module in tiny.module.named_modules()
    ]
    all_of(Finder(tiny, digit, Search("patches", "features.3", steps=2)))
    for hook in hooks:
        hook.remove()
    ran = {name for name, count in calls.items() if count}
    assert ran == {f"features.{i}" for i in range(4)}


def test_patches_of_one_lattice_never_meet_in_a_value() -> None:
    """Brute force: the values that see each patch, for fields and sizes of every kind."""
    for size, jump, start in ((3, 1, -1), (5, 2, -2), (7, 4, -2), (11, 4, -5), (4, 3, 0)):
        for patch, stride in ((1, 1), (3, 3), (2, 3), (4, 2)):
            search = Search("lattice", "0", patch, stride)
            lattice = Lattice.of(48, search, Field(size, jump, start))
            for phase in range(lattice.phases):
                seen: set[int] = set()
                for first in range(phase * stride, 48, lattice.spacing):
                    pixels = set(range(first, min(first + patch, 48)))
                    values = {
                        u
                        for u in range(48)
                        if pixels & set(range(start + jump * u, start + jump * u + size))
                    }
                    assert not seen & values
                    seen |= values


def test_lattices_hold_every_patch_once() -> None:
    lattice = Lattice.of(224, Search("lattice", "blocks.1"), Field(11, 4, -2))
    assert (lattice.spacing, lattice.groups, lattice.patches) == (15, 50, 5625)
    numbers = [patch for group in range(0, 50, 2) for _, patch in lattice.members(group)]
    assert sorted(numbers) == list(range(5625))


def test_a_field_as_large_as_the_picture_moves_one_patch_at_a_time() -> None:
    for field in (None, Field(300, 8, -100)):
        lattice = Lattice.of(16, Search("lattice", "0", 3, 3), field)
        assert lattice.groups == 2 * lattice.patches == 2 * 36
        assert all(len(lattice.members(group)) == 1 for group in range(lattice.groups))


def test_null_decoys_keep_the_layer_to_the_bit(tiny: Network, digit: NDArray[np.uint8]) -> None:
    """The picture itself is at distance 0, wherever in the batch it stands."""
    images = torch.from_numpy(digit).float().repeat(tiny.card.lanes, 1, 1, 1)
    kept = Kept(tiny, Search("lattice", "features.6"), images)
    assert (kept.values == kept.values[:1]).all() and not kept.distance(images).any()
    with pytest.raises(ValueError, match=r"images are 3; they must be 32"):
        kept.distance(images[:3])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"scheme": "circles"}, "scheme is 'circles'; it must be one of patches, lattice"),
        ({"layer": ""}, "layer is ''"),
        ({"patch": 0}, r"patch is 0; it must lie in 1\.\.64"),
        ({"stride": 65}, "stride is 65"),
        ({"cap": 256}, r"cap is 256; it must lie in 1\.\.255"),
        ({"steps": 0}, "steps is 0"),
        ({"tolerance": float("nan")}, "tolerance is nan; it must lie between 0 and 10"),
        ({"tolerance": -0.1}, "tolerance is -0.1"),
    ],
)
def test_a_bad_search_is_named(change: dict[str, object], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        replace(Search("lattice", "0"), **change)


def test_another_picture_and_ranges_outside_are_refused(
    tiny: Network, digit: NDArray[np.uint8]
) -> None:
    with pytest.raises(ValueError, match=r"picture is uint8 \(8, 8, 3\); it must be"):
        Finder(tiny, digit[:8, :8], Search("lattice", "features.6"))
    finder = Finder(tiny, digit, Search("lattice", "features.6"))
    with pytest.raises(ValueError, match="decoys are"):
        list(finder.find(3, finder.count + 1))
