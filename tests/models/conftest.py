"""Fixtures of the models tests: the tiny network, a digit and a plan about them."""

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from certify.plan import Plan, Recipe
from models import images
from models.data.dataset import DataSet
from models.data.formats import load
from models.lanes import Piece
from models.loading import Network
from models.registry import card
from models.sampling import Sampler
from tests.models.mixtures import Kind, digests, mixed
from tests.models.short_runs import DIGITS

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small tensors on busy machines: threads would mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny() -> Network:
    return Network(card("digits-tiny"))


@pytest.fixture(scope="session")
def sampler(tiny: Network) -> Sampler:
    return Sampler(tiny)


@pytest.fixture(scope="session")
def digits() -> NDArray[np.uint8]:
    """Pictures (10, 16, 16, 3), the digit d at index d."""
    files = [ROOT / "tests" / "data" / "digits" / f"{d}.png" for d in range(10)]
    return np.stack([images.decode(file.read_bytes(), max_pixels=256) for file in files])


@pytest.fixture(scope="session")
def digit(digits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return digits[3]


@pytest.fixture(scope="session")
def plan(tiny: Network, digit: NDArray[np.uint8]) -> Plan:
    recipe = Recipe("gaussian", 2, 0.25, "gradient", 2, 16, tiny.card.lanes, "float32")
    key = "000102030405060708090a0b0c0d0e0f"
    name, weights = tiny.card.name, tiny.card.weights
    return Plan(name, weights, images.digest(digit), 16, 16, 3, 3, recipe, key)


@pytest.fixture(scope="session")
def data() -> DataSet:
    """The digits that networks are trained on."""
    return load(DIGITS)


@pytest.fixture(scope="module")
def kinds(digits: NDArray[np.uint8], plan: Plan) -> list[Kind]:
    """Requests that differ in all that may."""
    return mixed(digits, plan)


@pytest.fixture(scope="module")
def pieces(kinds: list[Kind]) -> list[Piece]:
    """One of each kind, of different lengths."""
    return [kind(7, 7 + 9 * number) for number, kind in enumerate(kinds)]


@pytest.fixture(scope="module")
def wanted(sampler: Sampler, pieces: list[Piece]) -> list[str]:
    """Digests of their evidence and sums by the plain sampler."""
    return digests(sampler.together(pieces))


@pytest.fixture
def defined(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], ModuleType]:
    """Defines the kernels anew, for Triton's interpreter or for a GPU, until the test is over."""
    pytest.importorskip("triton", reason="kernels are NOT tested: no Triton here (extra gpu)")

    def define(interpret: bool) -> ModuleType:
        monkeypatch.setenv("TRITON_INTERPRET", str(int(interpret)))
        for name in (names := ("models.kernels.words", "models.kernels.pictures")):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
            del sys.modules[name]
        return importlib.import_module(names[-1])

    return define


@pytest.fixture
def interpreted(defined: Callable[[bool], ModuleType]) -> ModuleType:
    """`models.kernels.pictures` as Triton's interpreter runs it, on the CPU."""
    return defined(True)


@pytest.fixture(scope="session")
def as_network() -> Callable[[nn.Module, int], Network]:
    """Makes a Network of a hand-made module on square pictures; it sees values in [0, 1]."""

    def make(module: nn.Module, size: int) -> Network:
        made = Network.__new__(Network)
        made.card = replace(card("digits-tiny"), size=size, lanes=4)
        made.device = torch.device("cpu")
        made.module = made.merged = module.eval().requires_grad_(False)
        made._mean, made._std = torch.zeros(3), torch.full((3,), 255.0)
        return made

    return make
