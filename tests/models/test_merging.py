"""The network in steps is the network in layers, by the same names and over the same weights."""

import logging
from collections import OrderedDict
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import steps
from models.architectures import ARCHITECTURES
from models.loading import Network, fold
from models.merging import merged
from models.native import link, matrices
from models.native.chain import NativeChain
from models.planes import planes
from models.registry import card, weights_file
from models.steps import Chain, Step, instructed
from models.trust import distance, seen, waves

SIDE = 32


def drawn(name: str) -> nn.Module:
    """The architecture, folded, its weights and the statistics of its norms drawn by a key."""
    module = ARCHITECTURES[name].build(7)
    numbers = np.random.Generator(np.random.Philox(11))
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            spread = max(1.0, float(tensor[0].numel())) ** -0.5
            tensor.copy_(torch.from_numpy(numbers.normal(0, spread, tensor.shape)).abs_())
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.weight.data -= part.weight.data.mean(
                dim=(1, *range(2, part.weight.ndim)), keepdim=True
            )
    module = fold(module.eval().requires_grad_(False))
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def steps_of(module: nn.Module) -> list[Step]:
    return [part for part in module.modules() if isinstance(part, Step)]


def test_without_native_code_convolutions_are_steps_of_onednn() -> None:
    module = drawn("small")
    made = merged(module, SIDE, native=False)
    assert len(steps_of(made)) == 5 and isinstance(made.get_submodule("classifier"), nn.Linear)
    assert not any(isinstance(part, NativeChain) for part in made.modules())
    assert distance(*(seen(each, waves(SIDE)) for each in (module, made))) < 1e-3


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_every_architecture_in_steps_is_itself(name: str) -> None:
    module, side = drawn(name), 16 if name == "tiny" else SIDE
    made = merged(module, side)
    weighty = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    assert len(steps_of(made)) == len(weighty) and not steps_of(module)
    assert all(isinstance(part, NativeChain) for part in made.modules() if isinstance(part, Chain))
    assert distance(*(seen(each, waves(side)) for each in (module, made))) < 1e-3
    names = [{path for path, _ in each.named_modules()} for each in (module, made)]
    assert names[0] <= names[1]


def test_the_kinks_are_in_the_steps_and_nowhere_else() -> None:
    made = merged(drawn("efficientnet-lite0"), SIDE)
    assert not any(isinstance(part, nn.ReLU6) for part in made.modules())
    assert [s.kink.name for s in steps_of(made)[:3]] == ["hardtanh", "hardtanh", "none"]
    assert [len(part.steps) for part in made.modules() if isinstance(part, Chain)][:3] == [1, 2, 3]
    # The zeros of the first convolution, which mixes channels, are oneDNN's as they are.
    for native, left in ((True, 0), (False, 1)):
        made = merged(drawn("efficientnet-lite0"), SIDE, native=native)
        assert sum(isinstance(part, nn.ZeroPad2d) for part in made.modules()) == left


def test_weights_are_those_of_the_layers_and_not_copies(tiny: Network) -> None:
    mine = {part.weight.data_ptr() for part in steps_of(tiny.merged)}
    layers = [p for p in tiny.module.modules() if isinstance(p, nn.Conv2d | nn.Linear)]
    assert mine == {layer.weight.data_ptr() for layer in layers}


@pytest.mark.parametrize("groups", [1, 6])
@pytest.mark.parametrize(("before", "kernel"), [(0, 3), (1, 5), (2, 4)])
def test_zeros_before_a_convolution_go_into_its_kernel(
    before: int, kernel: int, groups: int
) -> None:
    """Whole numbers: every sum is exact."""
    first, layer = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, kernel, 2, groups=groups)
    zeros = nn.ZeroPad2d((before, before + 1, before, before + 1))
    module = nn.Sequential(first, zeros, layer, nn.ReLU()).requires_grad_(False)
    for parameter in module.parameters():
        parameter.mul_(9).round_()
    made = merged(module, 16)
    assert isinstance(made, nn.Sequential) and isinstance(made[1], nn.Identity)
    for picture in (waves(16).mul(4).round(), torch.ones(2, 3, 16, 16)):
        assert torch.equal(made(picture), module(picture))
        seen = [
            torch.autograd.functional.vjp(m, picture, module(picture))[1] for m in (module, made)
        ]
        assert torch.equal(*seen) and made(picture).any()


@pytest.mark.parametrize("apart", ["0", "1", "2"])
def test_a_layer_that_somebody_looks_at_is_left_alone(apart: str) -> None:
    layer = nn.Conv2d(3, 3, 3, 2, groups=3)
    module = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), layer, nn.ReLU()).requires_grad_(False)
    seen: dict[str, Tensor] = {}
    for whole, name in ((module, "layers"), (merged(module, 16, apart), "steps")):
        watched = whole.get_submodule(apart)
        watched.register_forward_hook(lambda _m, _i, y, name=name: seen.update({name: y}))
        whole(waves(16))
    assert torch.equal(seen["layers"], seen["steps"])


def test_layers_whose_names_begin_alike_are_not_taken_for_each_other() -> None:
    layers = {name: nn.Conv2d(3, 3, 3) for name in ("kept", "kept2")}
    module = nn.Sequential(OrderedDict(layers)).requires_grad_(False)
    made = merged(module, 16, "kept")
    seen = [each.get_submodule("kept")(waves(16)) for each in (module, made)]
    torch.testing.assert_close(*seen)


class Added(nn.Sequential):
    """What it holds, added to what it is given; one of its parts is called like a list of names."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 3, 3, 1, 1), nn.ReLU())
        self.add_module("line", nn.Conv2d(3, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)  # type: ignore[no-any-return,no-untyped-call]


def test_what_does_more_than_apply_its_layers_is_no_part_of_a_line() -> None:
    module = nn.Sequential(nn.Conv2d(3, 3, 3), Added(), nn.Conv2d(3, 3, 1)).requires_grad_(False)
    made = merged(module, 16)
    assert len(steps_of(made)) == 2 and isinstance(made.get_submodule("1.0"), nn.Conv2d)
    assert distance(*(seen(each, waves(16)) for each in (module, made))) < 1e-5


def test_what_does_not_agree_is_not_used_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(*given: object) -> Tensor:
        return right(*given) * 1.5  # type: ignore[arg-type]

    module, right = drawn("small"), steps._convolve
    monkeypatch.setattr(steps, "_convolve", wrong)
    with caplog.at_level(logging.WARNING):
        assert merged(module, SIDE, native=False) is module
    assert "layer by layer" in caplog.text and "from those of PyTorch" in caplog.text


def test_gradients_alone_can_betray_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits are right; what leads back is the kernel that nobody turned."""
    module, right = drawn("small"), link.turned
    monkeypatch.setattr(link, "turned", lambda *given: right(*given).flip(2, 3))
    assert merged(module, SIDE) is module


def test_a_network_that_answers_nan_in_steps_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    module, right = drawn("small"), steps._convolve
    monkeypatch.setattr(steps, "_convolve", lambda *given: right(*given) * float("nan"))
    assert merged(module, SIDE, native=False) is module


def test_steps_that_fail_are_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*given: object) -> Tensor:
        raise RuntimeError("could not create a primitive")

    module = drawn("small")
    monkeypatch.setattr(steps, "_convolve", fail)
    with caplog.at_level(logging.WARNING):
        assert merged(module, SIDE, native=False) is module
    assert "could not create a primitive" in caplog.text


@pytest.mark.parametrize("name", ["features.2", "features.3", "features"])
def test_grad_cam_sees_the_values_and_slopes_of_the_layer_that_its_card_names(name: str) -> None:
    network = Network(replace(card("digits-tiny"), cam_layer=name))
    layers = copy(network)
    layers.merged = network.module
    pictures = (waves(16).permute(0, 2, 3, 1) + 2) * 60
    mine, its = (planes(each, pictures, lambda y: y[:, 3], "test") for each in (network, layers))
    assert steps_of(network.merged) and mine.slopes.any()
    torch.testing.assert_close(mine.values, its.values)
    torch.testing.assert_close(mine.slopes, its.slopes)


def test_what_fails_in_layers_too_is_no_reason_to_take_them() -> None:
    """Else a worker short of memory would give other last bits than its neighbours."""

    class Short(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("can't allocate memory")

    with pytest.raises(RuntimeError, match="allocate"):
        merged(nn.Sequential(nn.Conv2d(3, 3, 1), Short()).requires_grad_(False), SIDE)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_networks_for_photographs_run_in_steps(precision: str) -> None:
    if not weights_file(card("efficientnet-lite0")).exists():
        pytest.skip("weights are not here")
    network = Network(card("efficientnet-lite0")).at(precision)
    # The linear layer is a step too, but of native code alone.
    left = instructed(torch.zeros(1).bfloat16()) and not matrices.available()
    native = precision != "bfloat16" or not left
    assert len(steps_of(network.merged)) == 49 + native and not steps_of(network.module)
