"""Noisy pictures by native code: the values of `certify.noise`, whatever law, key and sample."""

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import ir

from certify import noise as exact
from certify.noise import LEFTOVER, Gaussian, GeneralizedNormal, Laplace, Law
from certify.plan import Plan
from models import noisy
from models.loading import Network
from models.native import noise
from models.native.compiling import available
from models.native.noise import BLOCK, Noisy, suits
from models.passes import passing
from tests.models.edges import Edge

pytestmark = pytest.mark.skipif(not available(), reason="this processor has no fused operation")
LAWS = [Gaussian(0.25), Gaussian(0.005), Laplace(0.1), GeneralizedNormal(0.25, 4)]
laws, keys = st.sampled_from(LAWS), st.integers(0, 2**128 - 1)


def floats(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, np.float32)


def as_it_is(law: Law, key: int, clean: np.ndarray) -> Noisy:  # type: ignore[type-arg]
    """Of one channel, not normalised."""
    return Noisy(law, key, clean.reshape(-1, 1), floats(0), floats(1))


@given(
    law=laws,
    key=keys,
    sample=st.integers(0, 2**63 - 1),
    blocks=st.integers(1, 14),
    normal=st.lists(st.tuples(*2 * [st.floats(2**-7, 300, width=32)]), min_size=1, max_size=3),
)
def test_values_are_those_of_the_definition(
    law: Law, key: int, sample: int, blocks: int, normal: list[tuple[float, float]]
) -> None:
    """Noise is whole numbers; normalising rounds each operation of float32 once."""
    mean, std = (np.array(each, np.float32) for each in zip(*normal, strict=True))
    clean = np.arange(BLOCK * blocks * len(mean), dtype=np.float32).reshape(-1, len(mean)) % 256
    found = np.empty_like(clean)
    Noisy(law, key, clean, mean, std).write(sample, found)
    noisy = clean + exact.draw(exact.table(law), key, sample, clean.size).reshape(clean.shape)
    assert np.array_equal(found, (noisy.astype(np.float32) - mean) / std)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_every_kind_of_entry_is_met(law: Law) -> None:
    """Among so many some slots leave over, of all four lanes; their words fall on both tails."""
    table, key, entries = exact.table(law), 12345 << 70 | 7, 160_000
    found = np.empty(entries, np.float32)
    as_it_is(law, key, np.zeros(entries, np.float32)).write(3, found)
    wanted = exact.draw(table, key, 3, entries)
    quarters = exact.Words(key).first(3, 0, entries // 4).view("<u2")
    left = np.flatnonzero(table.slots[quarters] == LEFTOVER)
    assert set(left % 4) == {0, 1, 2, 3} and len(set(wanted[left])) > 2
    assert np.array_equal(found, wanted)


def test_nothing_is_read_or_written_beyond_the_picture() -> None:
    entries, mean, std = 6 * BLOCK, floats(2, 3), floats(4, 8)
    with Edge(entries, np.float32) as clean, Edge(entries, np.float32) as into:
        clean.values[:] = 9
        made = Noisy(Gaussian(0.25), 1, clean.values.reshape(-1, 2), mean, std)
        edges = {"_room": np.int16, "_mean": np.float32, "_std": np.float32}
        with ExitStack() as stack:
            for name, kind in edges.items():
                edge = stack.enter_context(Edge(getattr(made, name).size, kind))
                edge.values[:] = getattr(made, name)
                setattr(made, name, edge.values)
            made._clean = clean.values
            made.write(2, into.values)
        noisy = 9 + exact.draw(made._table, 1, 2, entries).reshape(-1, 2)
        assert np.array_equal(into.values.reshape(-1, 2), (noisy - mean) / std)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(31, np.float32), np.zeros(32), np.zeros(64, np.float32)[::2]],
    ids=["size", "type", "gaps"],
)
def test_what_it_cannot_write_into_is_refused(wrong: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match="32 float32 without gaps"):
        as_it_is(Gaussian(0.25), 1, np.zeros(32, np.float32)).write(0, wrong)


def test_what_it_may_not_write_and_what_fills_no_blocks_is_refused() -> None:
    fixed = np.zeros(32, np.float32)
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="may be written"):
        as_it_is(Gaussian(0.25), 1, np.zeros(32, np.float32)).write(0, fixed)
    with pytest.raises(ValueError, match="a multiple of 16"):
        as_it_is(Gaussian(0.25), 1, np.zeros(20, np.float32))


@pytest.mark.parametrize(
    ("clean", "mean", "std"),
    [
        (np.zeros((16, 1)), floats(0), floats(1)),
        (np.zeros((16, 1), np.float32), np.zeros(1), floats(1)),
        (np.zeros((16, 1), np.float32), floats(0), np.ones(1)),
        (np.zeros((16, 2), np.float32), floats(0), floats(1, 1)),
        (np.zeros((16, 2), np.float32), floats(0, 0), floats(1)),
    ],
)
def test_what_does_not_go_together_is_refused(
    clean: np.ndarray,  # type: ignore[type-arg]
    mean: np.ndarray,  # type: ignore[type-arg]
    std: np.ndarray,  # type: ignore[type-arg]
) -> None:
    with pytest.raises(ValueError, match="one mean and one std for each channel"):
        Noisy(Gaussian(0.25), 1, clean, mean, std)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("side", [12, 14])
def test_pictures_are_the_same_with_native_code_and_without(
    side: int, native: bool, plan: Plan, tiny: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """432 entries are blocks, 588 are not."""
    if not native:
        monkeypatch.setattr(noise, "available", lambda: False)
    suits.cache_clear()
    few = replace(plan, height=side, width=side, channels=3)
    image = np.arange(few.entries, dtype=np.uint8).reshape(side, side, 3)
    found, of = torch.empty(3, side, side, 3), passing(tiny, "gradient")
    mean, std = floats(*of.mean), floats(*of.std)
    noisy.on_cpu(few, image, of)(range(7, 10), found)
    assert suits(few.recipe.noise, image.shape) == (native and side == 12)
    for sample, picture in zip(range(7, 10), found, strict=True):
        drawn = exact.draw(exact.table(few.recipe.noise), int(few.key, 16), sample, few.entries)
        wanted = (image + drawn.reshape(image.shape).astype(np.float32) - mean) / std
        assert np.array_equal(picture.numpy(), wanted)
    suits.cache_clear()


@pytest.mark.parametrize("wrong", ["words", "quotients"])
def test_code_that_draws_otherwise_is_not_used(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    suits.cache_clear()
    noise.writing.cache_clear()
    assert suits(Gaussian(0.25), (16, 3))
    if wrong == "words":
        monkeypatch.setattr(noise, "MULTIPLIERS", noise.MULTIPLIERS + np.uint64(2))
    else:
        monkeypatch.setattr(ir.IRBuilder, "fdiv", ir.IRBuilder.fmul)
    suits.cache_clear()
    noise.writing.cache_clear()
    assert not suits(Gaussian(0.25), (16, 3))
    noise.writing.cache_clear()
    suits.cache_clear()
