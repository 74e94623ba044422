"""Scores of cells by native code: the bits of `models.features`, whatever the maps hold."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import ir
from torch import Tensor

from models import scoring
from models.features import magnitude, pool
from models.native import scores as native
from models.native.compiling import available
from models.scoring import agrees, cell_scores
from tests.models.edges import Edge

if_native = pytest.mark.skipif(not available(), reason="this processor has no fused operation")
ODD = (torch.inf, -torch.inf, torch.nan, -0.0, 1e-45, 3e38)


def maps_of(shape: tuple[int, ...], seed: int, odd: float = 0.0) -> Tensor:
    """Numbers of all sizes; `odd` of them are none that one can count with."""
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(shape, generator=generator) * 10.0 ** torch.randint(
        -30, 30, shape, generator=generator
    )
    which = torch.randint(len(ODD), shape, generator=generator)
    return torch.where(torch.rand(shape, generator=generator) < odd, torch.tensor(ODD)[which], maps)


@if_native
@given(
    sides=st.tuples(*3 * [st.integers(1, 9)]),
    several=st.integers(0, 3),
    channels=st.integers(1, 4),
    odd=st.sampled_from([0.0, 0.01, 0.5]),
    seed=st.integers(0, 1000),
)
def test_the_bits_are_those_of_the_definition(
    sides: tuple[int, int, int], several: int, channels: int, odd: float, seed: int
) -> None:
    """Rows of up to 81 pixels: sixteen side by side and what is left over."""
    rows, columns, cell = sides
    maps = maps_of((several, rows * cell, columns * cell, channels), seed, odd)
    found = native.scores(maps, cell)
    assert found.isfinite().all()
    assert torch.equal(found, pool(magnitude(maps), cell))


@if_native
@pytest.mark.parametrize(("side", "cell"), [(224, 16), (32, 4), (28, 1), (17, 17)])
def test_native_code_is_used_at_usual_sizes(side: int, cell: int) -> None:
    assert agrees((side, side, 3), cell)


@if_native
def test_nothing_is_read_beyond_the_maps() -> None:
    for width in (1, 16, 17, 33):
        with Edge(4 * width * 3, np.float32) as edge:
            edge.values[:] = np.arange(edge.values.size) % 7 - 3
            maps = edge.tensor.view(1, 4, width, 3)
            assert torch.equal(native.scores(maps, 1), magnitude(maps).view(1, -1))


@if_native
def test_nothing_is_written_beyond_row_and_scores() -> None:
    for width in (1, 16, 17, 33):
        maps = maps_of((2, 3, width, 3), 5)
        with Edge(width, np.float32) as row, Edge(6 * width, np.float32) as into:
            into.values[:] = 0
            arrays = maps.data_ptr(), row.address, into.address
            native.scoring(3)(*arrays, 2, 3, width, 1)
            assert torch.equal(into.tensor.view(2, -1), magnitude(maps).view(2, -1))


LAID_OTHERWISE = {
    "no channels": lambda maps: maps[..., 0],
    "gaps": lambda maps: maps[:, :, ::2],
    "turned": lambda maps: maps.transpose(1, 2),
    "doubles": lambda maps: maps.double(),
    "with a slope": lambda maps: maps.clone().requires_grad_(),
}


@pytest.mark.parametrize("laid", LAID_OTHERWISE)
def test_maps_that_lie_otherwise_go_by_torch(laid: str) -> None:
    maps = LAID_OTHERWISE[laid](maps_of((2, 4, 8, 3), 9))
    assert not native.fits(maps)
    assert torch.equal(cell_scores(maps, 2), pool(magnitude(maps), 2))
    with pytest.raises(ValueError, match="must be float32 without gaps"):
        native.scores(maps, 2)


@pytest.mark.parametrize("cell", [0, -2, 3, 8])
def test_cells_that_do_not_divide_are_refused(cell: int) -> None:
    maps = torch.zeros(1, 4, 8, 3)
    with pytest.raises(ValueError, match=f"cell is {cell}"):
        cell_scores(maps, cell)
    with pytest.raises(ValueError, match=f"cell is {cell}"):
        native.scores(maps, cell)


@pytest.fixture
def anew() -> Iterator[None]:
    """Code and trials of this test alone."""
    for known in (agrees, native.scoring):
        known.cache_clear()
    yield
    for known in (agrees, native.scoring):
        known.cache_clear()


@if_native
@pytest.mark.parametrize(("right", "wrong"), [("fdiv", "fmul"), ("fadd", "fsub"), ("and_", "or_")])
@pytest.mark.usefixtures("anew")
def test_code_that_scores_otherwise_is_not_used(
    right: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = maps_of((2, 8, 8, 3), 4)
    monkeypatch.setattr(ir.IRBuilder, right, getattr(ir.IRBuilder, wrong))
    assert not agrees((8, 8, 3), 4)
    assert torch.equal(cell_scores(maps, 4), pool(magnitude(maps), 4))


@if_native
@pytest.mark.parametrize("name", ["UNSIGNED", "EXPONENT"])
@pytest.mark.usefixtures("anew")
def test_nor_code_that_errs_only_in_what_is_no_number(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Magnitudes that lose the highest bit of a NaN's exponent, and infinities that are kept."""
    wrong = {"UNSIGNED": 0x7FFFFFFF ^ 1 << 30, "EXPONENT": 0x7FFFFFFF}[name]
    monkeypatch.setattr(native, name, wrong)
    assert not agrees((8, 8, 3), 4)


@pytest.mark.parametrize("default", [torch.float64, torch.float16])
@pytest.mark.parametrize("tried", [True, False])
@pytest.mark.usefixtures("anew")
def test_the_default_type_is_not_ours(default: torch.dtype, tried: bool) -> None:
    maps = maps_of((2, 8, 8, 3), 4)
    wanted = cell_scores(maps, 2)
    if not tried:
        agrees.cache_clear()
    torch.set_default_dtype(default)
    try:
        found = cell_scores(maps, 2)
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.dtype == torch.float32 and torch.equal(found, wanted)


def test_where_there_is_no_native_code_torch_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = maps_of((2, 8, 8, 3), 4)
    monkeypatch.setattr(native, "available", lambda: False)
    monkeypatch.setattr(scoring, "agrees", None)
    assert torch.equal(cell_scores(maps, 4), pool(magnitude(maps), 4))
