"""What a GPU does with a batch, on the CPU: the kernel that fills it, the pass, votes packed."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from certify.plan import Plan, Recipe
from models import images
from models.attribution.bases import ATTRIBUTIONS
from models.gpu.inputs import Fused
from models.gpu.sampler import GpuSampler
from models.gpu.tallies import packed
from models.lanes import Piece
from models.loading import Network
from models.passes import passing
from models.sampling import Sampler
from tests.models.mixtures import digests
from tests.models.stand_ins import Shuffled


@pytest.mark.parametrize("features", [1, 7, 8, 9, 49, 100])
def test_votes_are_packed_as_numpy_packs(features: int) -> None:
    votes = np.random.Generator(np.random.Philox(3)).random((5, features)) < 0.4
    np.testing.assert_array_equal(packed(torch.from_numpy(votes)), np.packbits(votes, axis=1))


@pytest.fixture(scope="module")
def small(as_network: Callable[[nn.Module, int], Network]) -> Network:
    """A network of 6×6 pictures with planes and odd normalisation."""
    generator = torch.Generator().manual_seed(5)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(64, 10))
    for parameter in layers.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / 3
    made = as_network(layers, 6)
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    made.card = replace(made.card, cam_layer="1", unsupported=(), mean=mean, std=std)
    made._mean, made._std = torch.tensor(mean), torch.tensor(std)
    return made


@pytest.mark.parametrize("attribution", ["gradient", "grad_cam", "input_x_gradient"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_pass_from_prepared_input_gives_the_bits_of_the_base_map(
    small: Network, attribution: str, precision: str
) -> None:
    network = small.at(precision)
    generator = np.random.Generator(np.random.Philox(6))
    pictures = torch.from_numpy(generator.integers(-300, 600, (4, 6, 6, 3)).astype(np.float32))
    targets, of = torch.tensor([3, 1, 4, 1]), passing(network, attribution)
    scaled = (pictures - torch.tensor(of.mean)) / torch.tensor(of.std)
    assert any(of.mean) == (attribution != "input_x_gradient")
    found = of.run(scaled.permute(0, 3, 1, 2).to(of.dtype), targets)
    for one, right in zip(
        found, ATTRIBUTIONS[attribution].with_logits(network, pictures, targets), strict=True
    ):
        assert one.dtype == torch.float32 and torch.equal(one, right)
        assert one.abs().max() > 0


@pytest.mark.parametrize(
    ("attribution", "precision"),
    [("gradient", "float32"), ("grad_cam", "bfloat16"), ("input_x_gradient", "float32")],
)
def test_evidence_by_the_kernel_is_the_plain_samplers(
    small: Network, attribution: str, precision: str, interpreted: ModuleType
) -> None:
    """Two requests of different laws in one batch; the kernel as Triton's interpreter runs it."""
    sampler = Sampler(small)
    recipe = Recipe("gaussian", 2, 0.25, attribution, 1, 5, 4, precision)
    generator = np.random.Generator(np.random.Philox(7))
    pieces = []
    for number, law in enumerate((("gaussian", 2), ("laplace", 1))):
        image = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        named = replace(recipe, law=law[0], shape=law[1])
        about = small.card.name, small.card.weights, images.digest(image), 6, 6, 3
        pieces.append(Piece(Plan(*about, number, named, "f0" * 16), image, 2**62, 2**62 + 2))
    made = GpuSampler(sampler, Shuffled(), [partial(Fused, write=interpreted.write)])
    assert digests(made.together(pieces)) == digests(sampler.together(pieces))
    assert made.depth(pieces[0].plan) == 2  # so that it was not the plain sampler's work
