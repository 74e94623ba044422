"""What only a GPU can say. Without one nothing here runs, and the summary of the tests says so.

docs/gpu.md says how to run these, and whether anybody has.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from certify.noise import Gaussian, GeneralizedNormal, Laplace, draw, table
from certify.plan import Plan, Recipe
from models import images
from models.gpu.hardware import Cuda
from models.gpu.inputs import Fused, Plain, kernel
from models.gpu.sampler import GpuSampler, Way
from models.kernels.launches import Pictures, laws_on, told
from models.lanes import Piece
from models.loading import Network
from models.registry import card
from models.sampling import Sampler
from tests.models.mixtures import digests

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="the GPU is NOT tested: there is none here"
    ),
]
ROOT = Path(__file__).parents[2]
GPU = torch.device("cuda")
KEY = 0xFEDCBA98_76543210_8F1E2D3C_4B5A6978
LAWS = (Gaussian(0.25), Gaussian(0.01), Laplace(4.0), GeneralizedNormal(0.25, 12))
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.fixture(scope="module")
def sampler() -> Sampler:
    return Sampler(Network(card("efficientnet-lite0"), GPU))


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    data = (ROOT / "examples" / "photos" / "coffee.jpg").read_bytes()
    return images.fit(images.decode(data, max_pixels=1 << 26), card("efficientnet-lite0"))


def piece(
    sampler: Sampler, image: NDArray[np.uint8], start: int, stop: int, **recipe: object
) -> Piece:
    made = sampler.card
    asked = Recipe("gaussian", 2, 0.25, "gradient", 16, 49, 8, "float32")
    asked = replace(asked, **recipe)  # type: ignore[arg-type]
    about = made.name, made.weights, images.digest(image), made.size, made.size, 3
    return Piece(Plan(*about, 7, asked, "5a" * 16), image, start, stop)


@pytest.fixture
def ways() -> list[Way]:
    """The fused kernel, which must be there on a GPU."""
    write = kernel()
    assert write is not None, "Triton is not installed"
    return [partial(Fused, write=write)]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No way was found wanting, and no graph impossible."""
    with caplog.at_level(logging.WARNING, logger="models.gpu"):
        yield
    assert not caplog.records


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("side", [3, 16, 224])
def test_the_kernel_writes_the_bits_of_numpy_and_torch(side: int, dtype: torch.dtype) -> None:
    write = kernel()
    assert write is not None, "Triton is not installed"
    generator = np.random.Generator(np.random.Philox(8))
    values = generator.integers(0, 256, (2, side * side * 3), dtype=np.uint8)
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    shown = Pictures(torch.from_numpy(values).to(GPU), mean.to(GPU), std.to(GPU))
    first = [0, 2**63 - 9, 2**40, 5]
    rows = [told(KEY, range(f, f + 8), n % 2, n) for n, f in enumerate(first)]
    into = torch.empty((32, 3, side, side), dtype=dtype, device=GPU)
    into = into.to(memory_format=torch.channels_last)
    write(into, torch.from_numpy(np.concatenate(rows)).to(GPU), shown, laws_on(GPU, LAWS))
    found = into.cpu()
    for number, start in enumerate(first):
        for lane in range(8):
            noise = draw(table(LAWS[number]), KEY, start + lane, values.shape[1])
            grey = torch.from_numpy(values[number % 2].astype(np.float32) + noise)
            plain = ((grey.reshape(side, side, 3) - mean) / std).permute(2, 0, 1)
            assert torch.equal(found[8 * number + lane], plain.to(dtype))


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"attribution": "grad_cam"},
        {"attribution": "input_x_gradient"},
        {"precision": "bfloat16"},
        {"precision": "tf32"},
        {"precision": "float16", "attribution": "grad_cam"},
        {"lanes": 64},
        {"cell": 1, "votes": 12_544},
        {"score": "linear"},
        {"law": "laplace", "shape": 1},
    ],
    ids=str,
)
def test_evidence_is_the_plain_samplers_at_any_depth_with_and_without_graphs(
    sampler: Sampler, picture: NDArray[np.uint8], ways: list[Way], recipe: dict[str, object]
) -> None:
    asked = piece(sampler, picture, 3, 150, **recipe)
    wanted = digests(sampler.together([asked]))
    for depth, graphs in ((1, False), (1, True), (2, True), (4, True), (8, False)):
        made = GpuSampler(sampler, Cuda(GPU, graphs), ways, depth)
        for _ in range(2):
            assert digests(made.together([asked])) == wanted
        assert made.depth(asked.plan) == depth


def test_requests_share_batches_and_splits_change_nothing(
    sampler: Sampler, picture: NDArray[np.uint8], ways: list[Way]
) -> None:
    other = np.ascontiguousarray(picture[::-1])
    whole = piece(sampler, picture, 0, 77)
    parts = [
        replace(whole, stop=30),
        piece(sampler, other, 5, 18, scale=0.5, cell=32, votes=9),
        replace(whole, start=30),
        replace(whole, start=3, summed=True),
    ]
    made = GpuSampler(sampler, Cuda(GPU), ways, 3)
    one, stranger, two, total = made.together(parts)
    assert digests([one.merge(two)]) == digests(made.together([whole]))
    assert digests([stranger, total]) == digests(sampler.together([parts[1], parts[3]]))


def test_input_by_torch_is_the_kernels(
    sampler: Sampler, picture: NDArray[np.uint8], ways: list[Way]
) -> None:
    asked = [piece(sampler, picture, 3, 40)]
    found = {digests(GpuSampler(sampler, ways=[w]).together(asked))[0] for w in [*ways, Plain]}
    assert len(found) == 1


def test_places_and_averages_are_the_plain_samplers(
    sampler: Sampler, picture: NDArray[np.uint8], ways: list[Way]
) -> None:
    made, asked = GpuSampler(sampler, ways=ways), piece(sampler, picture, 0, 1)
    for found, right in zip(
        made.rank(asked.plan, picture, 9, 60), sampler.rank(asked.plan, picture, 9, 60), strict=True
    ):
        np.testing.assert_array_equal(found, right)
    averages = (each.average(asked.plan, picture, 9, 60) for each in (made, sampler))
    np.testing.assert_array_equal(*averages)


def test_memory_that_does_not_suffice_means_fewer_in_flight(
    sampler: Sampler, picture: NDArray[np.uint8], ways: list[Way]
) -> None:
    """Four GiB beyond what lies there, and a hundred batches asked for."""
    asked = piece(sampler, picture, 0, 2000)
    wanted = digests(sampler.together([asked]))
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(GPU).total_memory
    share = (torch.cuda.memory_reserved(GPU) + (4 << 30)) / total
    torch.cuda.set_per_process_memory_fraction(share, GPU)
    try:
        made = GpuSampler(sampler, Cuda(GPU), ways, 100)
        assert digests(made.together([asked])) == wanted
        assert 1 <= made.depth(asked.plan) < 100
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, GPU)
