"""Noise in torch is the noise of certify, bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from certify.noise import LEFTOVER, Gaussian, GeneralizedNormal, Laplace, Law, draw, table
from certify.randomness import words
from models.noise import Drawer, _multiply, philox

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
LAWS = [
    *(Gaussian(scale) for scale in (0.01, 0.25, 1.0)),
    *(Laplace(scale) for scale in (0.01, 0.25, 4.0)),
    *(GeneralizedNormal(scale, shape) for scale in (0.01, 0.25) for shape in (4, 12)),
]
KEYS = st.integers(0, (1 << 128) - 1)
SAMPLES = st.integers(0, (1 << 63) - 1)
WORDS = st.integers(0, (1 << 64) - 1)


def unsigned(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy().view(np.uint64)


def signed(word: int) -> int:
    return int(np.uint64(word).view(np.int64))


@given(x=WORDS, constant=WORDS)
def test_multiply_is_the_128_bit_product(x: int, constant: int) -> None:
    high, low = _multiply(torch.tensor([signed(x)]), constant)
    assert (int(unsigned(high)[0]) << 64) + int(unsigned(low)[0]) == x * constant


@given(
    key=KEYS,
    sample=st.integers(0, (1 << 63) - 1),
    space=st.integers(0, 1),
    device=st.sampled_from(DEVICES),
)
def test_philox_is_numpys(key: int, sample: int, space: int, device: str) -> None:
    blocks = torch.arange(1, 8, device=device)
    found = philox(blocks, torch.tensor([signed(sample)], device=device), space, key)
    np.testing.assert_array_equal(
        unsigned(torch.stack(found, dim=1)).ravel(), words(key, sample, space, 28)
    )


def test_philox_known_answers() -> None:
    # Random123 (Salmon et al.), file kat_vectors, line "philox4x64 10" with counter and key zero.
    zero = torch.zeros(1, dtype=torch.int64)
    found = [int(unsigned(word)[0]) for word in philox(zero, zero, 0, 0)]
    assert found == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("noise", LAWS, ids=lambda law: f"{law.name}-{law.shape}-{law.scale}")
@pytest.mark.parametrize("entries", [1, 3, 16, 17, 768, 20_001])
def test_draw_is_certifys(noise: Law, entries: int, device: str) -> None:
    law, key = table(noise), 0xFEDCBA98_76543210_0F1E2D3C_4B5A6978
    samples = [0, 1, 7, 2**40 + 3, 2**63 - 1]
    found = Drawer(law, torch.device(device)).draw(key, samples, entries).cpu().numpy()
    assert found.dtype == np.int16
    for row, sample in zip(found, samples, strict=True):
        np.testing.assert_array_equal(row, draw(law, key, sample, entries))


def test_the_comparison_above_meets_leftover_entries() -> None:
    law = table(Gaussian(0.25))
    slots = words(0xFEDCBA98_76543210_0F1E2D3C_4B5A6978, 0, 0, 5001).view("<u2")[:20_001]
    assert (law.slots[slots] == LEFTOVER).sum() > 20
