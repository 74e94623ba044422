"""TensorFloat-32: declared, in force for all of a pass and nothing else, refused without a GPU.

What a GPU makes of it is tested on one (tests/gpu)."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from certify.plan import Plan
from models import loading
from models.devices import has_tensor_float, tensor_float
from models.loading import Network
from models.passes import passing
from models.precision import TF32
from models.sampling import Sampler
from models.steps import Chain

PARTS = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
SAYS = "precision is tf32, and the device cpu; only an NVIDIA GPU, from Ampere on, computes in it"


def settings() -> list[str]:
    return [part.fp32_precision for part in PARTS]


@pytest.fixture
def plan_in(plan: Plan) -> Plan:
    return replace(plan, recipe=replace(plan.recipe, precision=TF32))


@pytest.fixture
def pretended(tiny: Network, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """The tiny network in tf32 on a device that is said to have it."""
    monkeypatch.setattr(loading, "has_tensor_float", lambda device: True)
    before = settings()
    try:
        for part in PARTS:
            part.fp32_precision = "ieee"
        yield tiny.at(TF32)
    finally:
        for part, was in zip(PARTS, before, strict=True):
            part.fp32_precision = was


def test_no_processor_has_it(sampler: Sampler, plan_in: Plan, digit: NDArray[np.uint8]) -> None:
    assert not has_tensor_float("cpu") and not sampler.network.computes(TF32)
    with pytest.raises(ValueError, match=SAYS):
        sampler.draw(plan_in, digit, 0, 1)
    with pytest.raises(ValueError, match=SAYS):
        sampler.look(digit, precision=TF32)


@pytest.mark.parametrize(("capability", "has"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_gpus_have_it_from_ampere_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], has: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert has_tensor_float("cuda:0") is has


def test_what_was_set_is_set_again_whatever_happens(pretended: Network) -> None:
    def fail() -> None:
        with tensor_float():
            assert settings() == ["tf32", "tf32"]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert settings() == ["ieee", "ieee"]


@pytest.mark.parametrize("attribution", ["gradient", "input_x_gradient", "integrated_gradients"])
def test_it_is_in_force_there_and_back_and_nowhere_else(
    pretended: Network, tiny: Network, digit: NDArray[np.uint8], attribution: str
) -> None:
    seen: list[tuple[str, list[str]]] = []
    convolution = next(m for m in pretended.merged.modules() if isinstance(m, Chain))

    def there(module: object, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        seen.append(("there", settings()))
        if out.requires_grad:
            out.register_hook(lambda slope: seen.append(("back", settings())))

    hook = convolution.register_forward_hook(there)
    try:
        Sampler(tiny).look(digit, 3, attribution, TF32)
        run = passing(pretended, attribution)
        pictures = torch.from_numpy(digit).float().unsqueeze(0)
        with torch.enable_grad():
            run.run(pictures.permute(0, 3, 1, 2), torch.tensor([3]))
        assert seen and all(now == ["tf32", "tf32"] for _, now in seen)
        assert {way for way, _ in seen} == {"there", "back"}
        seen.clear()
        Sampler(tiny).look(digit, 3, attribution)
        assert seen and all(now == ["ieee", "ieee"] for _, now in seen)
    finally:
        hook.remove()


def test_weights_and_all_that_passes_stay_float32(pretended: Network, tiny: Network) -> None:
    assert pretended.module is tiny.module
    assert pretended.normalised(torch.zeros(1, 16, 16, 3)).dtype == torch.float32
