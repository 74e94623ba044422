"""Noisy pictures by native code: the values of `certify.noise`, whatever law, key and sample."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from certify import noise as exact
from certify.noise import LEFTOVER, Gaussian, GeneralizedNormal, Laplace, Law
from certify.plan import Plan
from models import noisy
from models.native import noise
from models.native.compiling import available
from models.native.noise import BLOCK, Noisy, suits
from tests.models.edges import Edge

pytestmark = pytest.mark.skipif(not available(), reason="this processor has no fused operation")
LAWS = [Gaussian(0.25), Gaussian(0.005), Laplace(0.1), GeneralizedNormal(0.25, 4)]
laws, keys = st.sampled_from(LAWS), st.integers(0, 2**128 - 1)


@given(law=laws, key=keys, sample=st.integers(0, 2**63 - 1), blocks=st.integers(1, 40))
def test_values_are_those_of_the_definition(law: Law, key: int, sample: int, blocks: int) -> None:
    clean = np.arange(BLOCK * blocks, dtype=np.float32) % 256
    found = np.empty_like(clean)
    Noisy(law, key, clean).write(sample, found)
    assert np.array_equal(found, clean + exact.draw(exact.table(law), key, sample, clean.size))


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_every_kind_of_entry_is_met(law: Law) -> None:
    """Among so many some slots leave over, of all four lanes; their words fall on both tails."""
    table, key, entries = exact.table(law), 12345 << 70 | 7, 160_000
    found = np.empty(entries, np.float32)
    Noisy(law, key, np.zeros(entries, np.float32)).write(3, found)
    wanted = exact.draw(table, key, 3, entries)
    quarters = exact.Words(key).first(3, 0, entries // 4).view("<u2")
    left = np.flatnonzero(table.slots[quarters] == LEFTOVER)
    assert set(left % 4) == {0, 1, 2, 3} and len(set(wanted[left])) > 2
    assert np.array_equal(found, wanted)


def test_nothing_is_read_or_written_beyond_the_picture() -> None:
    entries = 5 * BLOCK
    with Edge(entries, np.float32) as clean, Edge(entries, np.float32) as into:
        clean.values[:] = 9
        with Edge(entries, np.int16) as room:
            made = Noisy(Gaussian(0.25), 1, np.zeros(entries, np.float32))
            made._clean, made._room = clean.values, room.values
            made.write(2, into.values)
        assert np.array_equal(into.values, 9 + exact.draw(made._table, 1, 2, entries))


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(31, np.float32), np.zeros(32), np.zeros(64, np.float32)[::2]],
    ids=["size", "type", "gaps"],
)
def test_what_it_cannot_write_into_is_refused(wrong: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValueError, match="32 float32 without gaps"):
        Noisy(Gaussian(0.25), 1, np.zeros(32, np.float32)).write(0, wrong)


def test_what_it_may_not_write_and_what_fills_no_blocks_is_refused() -> None:
    fixed = np.zeros(32, np.float32)
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="may be written"):
        Noisy(Gaussian(0.25), 1, np.zeros(32, np.float32)).write(0, fixed)
    for clean in (np.zeros(20, np.float32), np.zeros(32)):
        with pytest.raises(ValueError, match="a multiple of 16"):
            Noisy(Gaussian(0.25), 1, clean)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("side", [12, 14])
def test_pictures_are_the_same_with_native_code_and_without(
    side: int, native: bool, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """432 entries are blocks, 588 are not."""
    if not native:
        monkeypatch.setattr(noise, "available", lambda: False)
    suits.cache_clear()
    few = replace(plan, height=side, width=side, channels=3)
    image = np.arange(few.entries, dtype=np.uint8).reshape(side, side, 3)
    found = torch.empty(3, side, side, 3)
    noisy.on_cpu(few, image, torch.device("cpu"))(range(7, 10), found)
    assert suits(few.recipe.noise, few.entries) == (native and side == 12)
    for sample, picture in zip(range(7, 10), found, strict=True):
        drawn = exact.draw(exact.table(few.recipe.noise), int(few.key, 16), sample, few.entries)
        assert np.array_equal(picture.numpy(), image + drawn.reshape(image.shape).astype(float))
    suits.cache_clear()


def test_code_that_draws_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    suits.cache_clear()
    monkeypatch.setattr(noise, "MULTIPLIERS", noise.MULTIPLIERS + np.uint64(2))
    noise.writing.cache_clear()
    assert not suits(Gaussian(0.25), 48)
    noise.writing.cache_clear()
    suits.cache_clear()
