"""Kernels: by Triton's interpreter the bits of numpy and torch, and compiled for a GPU as meant.

The interpreter says that the arithmetic is right, the compiler that a GPU is asked to do just that;
neither needs a GPU. What a GPU then does is tests/gpu's to say.
"""

import importlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from certify.noise import LEFTOVER, Gaussian, GeneralizedNormal, Laplace, Law, draw, table
from certify.randomness import words
from models.kernels.launches import Pictures, laws_on, padded, told

CPU = torch.device("cpu")
KEY = 0xFEDCBA98_76543210_8F1E2D3C_4B5A6978  # the top bit of both words is set
LAWS = [
    *(Gaussian(scale) for scale in (0.01, 0.25, 1.0)),
    *(Laplace(scale) for scale in (0.01, 4.0)),
    *(GeneralizedNormal(scale, shape) for scale, shape in ((0.01, 4), (0.25, 12))),
]
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet: nothing divides


@dataclass(frozen=True)
class Lane:
    key: int
    sample: int
    picture: int = 0
    law: int = 0

    @property
    def about(self) -> tuple[int, int]:
        return self.picture, self.law


def pictures(count: int, height: int, width: int) -> Pictures:
    generator = np.random.Generator(np.random.Philox(8))
    values = generator.integers(0, 256, (count, height * width * 3), dtype=np.uint8)
    return Pictures(torch.from_numpy(values), torch.tensor(MEAN), torch.tensor(STD))


def by_hand(shown: Pictures, laws: list[Law], lane: Lane, sides: tuple[int, int]) -> torch.Tensor:
    """What `Network.normalised` makes of picture plus noise, (3, height, width)."""
    clean = shown.values[lane.picture].numpy().astype(np.float32)
    grey = clean + draw(table(laws[lane.law]), lane.key, lane.sample, len(clean))
    picture = torch.from_numpy(grey).reshape(*sides, 3)
    return ((picture - shown.mean) / shown.std).permute(2, 0, 1)


def written(
    kernels: ModuleType, shown: Pictures, laws: list[Law], lanes: list[Lane], into: torch.Tensor
) -> torch.Tensor:
    rows = [told(lane.key, range(lane.sample, lane.sample + 1), *lane.about) for lane in lanes]
    given = torch.from_numpy(padded(np.concatenate(rows), len(into)))
    kernels.write(into, given, shown, laws_on(CPU, tuple(laws)))
    return into


def empty(lanes: int, height: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    shape = (lanes, 3, height, width)
    return torch.full(shape, torch.nan, dtype=dtype).to(memory_format=torch.channels_last)


# Entries 27, 150 and 972: not whole blocks of words; the last needs two programs.
@pytest.mark.parametrize("sides", [(3, 3), (5, 10), (18, 18)])
def test_lanes_of_any_law_key_sample_and_picture_are_numpys_noise_normalised_by_torch(
    interpreted: ModuleType, sides: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreted, "MOST_ROWS", 32)
    samples = [0, 1, 2**40 + 3, 2**63 - 1]
    keys = [KEY, 0, (1 << 128) - 1, 1 << 127, 1 << 63]
    lanes = [Lane(keys[law % 5], samples[law % 4], law % 2, law) for law in range(len(LAWS))]
    shown = pictures(2, *sides)
    found = written(interpreted, shown, LAWS, lanes, empty(len(lanes), *sides, torch.float32))
    for each, lane in zip(found, lanes, strict=True):
        assert torch.equal(each, by_hand(shown, LAWS, lane, sides)), LAWS[lane.law]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_rounded_as_torch_rounds(
    interpreted: ModuleType, dtype: torch.dtype
) -> None:
    laws, lane, shown = [Gaussian(0.5)], Lane(KEY, 5), pictures(1, 18, 18)
    found = written(interpreted, shown, laws, [lane], empty(1, 18, 18, dtype))
    assert torch.equal(found[0], by_hand(shown, laws, lane, (18, 18)).to(dtype))


def test_ties_go_to_the_even_bfloat16(interpreted: ModuleType) -> None:
    """Pixels 0 … 255 over 1.0000001 and shifted by powers of two cover both ways of a tie."""
    shown = Pictures(
        torch.arange(256, dtype=torch.uint8)[None].repeat(1, 3),
        torch.tensor([-256.0, -512.5, -1024.0]),
        torch.ones(3),
    )
    found = written(
        interpreted, shown, [Gaussian(1.0)], [Lane(KEY, 1)], empty(1, 16, 16, torch.bfloat16)
    )
    plain = by_hand(shown, [Gaussian(1.0)], Lane(KEY, 1), (16, 16))
    tied = (plain.view(torch.int32) & 0xFFFF) == 0x8000
    odd = (plain.view(torch.int32) >> 16) & 1 == 1
    assert (tied & odd).any() and (tied & ~odd).any()
    assert torch.equal(found[0], plain.to(torch.bfloat16))


def test_missing_lanes_repeat_the_first(interpreted: ModuleType) -> None:
    found = written(
        interpreted,
        pictures(1, 4, 4),
        [Gaussian(0.25)],
        [Lane(KEY, 9)],
        empty(3, 4, 4, torch.float32),
    )
    assert torch.equal(found[1], found[0]) and torch.equal(found[2], found[0])


def test_the_comparisons_above_meet_leftover_entries() -> None:
    slots = words(0, 2**63 - 1, 0, 243).view("<u2")
    widest = LAWS.index(Laplace(4.0))
    assert (table(LAWS[widest]).slots[slots] == LEFTOVER).sum() > 20


@pytest.mark.parametrize(
    ("into", "says"),
    [
        (torch.zeros(1, 3, 4, 4), "lie channels-last"),
        (empty(1, 4, 4, torch.float64), "be float32, float16 or bfloat16"),
        (empty(1, 5, 5, torch.float32), "have 48 entries"),
        (empty(2, 4, 4, torch.float32), r"lanes be \(2, 5\)"),
    ],
)
def test_what_does_not_fit_is_refused(
    interpreted: ModuleType, into: torch.Tensor, says: str
) -> None:
    tables = laws_on(CPU, (Gaussian(0.25),))
    with pytest.raises(ValueError, match=says):
        interpreted.write(into, torch.from_numpy(told(1, range(1))), pictures(1, 4, 4), tables)


@pytest.mark.parametrize("samples", [0, 3])
def test_more_lanes_than_there_are_or_none_are_refused(samples: int) -> None:
    with pytest.raises(ValueError, match=f"lanes are {samples}; they must be 1 to 2"):
        padded(told(KEY, range(samples)), 2)


POINTERS = {
    "lanes": "*i64",
    "values": "*u8",
    "mean": "*fp32",
    "std": "*fp32",
    "slots": "*i16",
    "residual": "*i64",
    "spans": "*i64",
    "entries": "i32",
    "longest": "i32",
}


@pytest.mark.slow
@pytest.mark.parametrize("into", ["*fp32", "*fp16", "*i16"])
def test_compiled_for_hopper_it_subtracts_and_divides_as_ieee_says_and_fuses_nothing(
    into: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    defined: Callable[[bool], ModuleType],
) -> None:
    """The instructions for compute capability 9.0, and that they become machine code."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    compiler = importlib.import_module("triton.compiler")
    target = importlib.import_module("triton.backends.compiler").GPUTarget("cuda", 90, 32)
    kernel = defined(False)._write
    fixed = {"channels": 3, "rows": 128, "short": into == "*i16"}
    signature = {"into": into, **POINTERS, **dict.fromkeys(fixed, "constexpr")}
    made = compiler.compile(compiler.ASTSource(kernel, signature, constexprs=fixed), target=target)
    said = Counter(re.findall(r"^\s*(?:@\S+ )?([a-z]\w*(?:\.\w+)*)\s", made.asm["ptx"], re.M))
    floats = {name for name in said if name.endswith((".f32", ".f16", ".bf16"))}
    assert floats - {"cvt.rn.f16.f32"} == {"sub.f32", "div.rn.f32"}
    assert said["mul.hi.u64"] and not [name for name in said if name.startswith("fma")]
    assert not [name for name in said if ".local" in name]
    assert len(made.asm["cubin"]) > 1000
