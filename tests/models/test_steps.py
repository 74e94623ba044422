"""Steps of the processor against the layers of PyTorch.

With small whole numbers every product and every sum is exact in float32, so that both must give the
same bits, whatever their order of adding.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

from models.steps import KINKS, NONE, Chain, Step, can
from tests.models.convolutions import ACTS, Case, cases


def both(case: Case) -> tuple[nn.Module, nn.Module]:
    layer = case.layer()
    return Chain([Step(layer, KINKS.get(ACTS[case.act], NONE))]), nn.Sequential(
        layer, ACTS[case.act]()
    )


@given(case=cases)
def test_values_slopes_and_slopes_of_slopes_are_those_of_the_layers(case: Case) -> None:
    seen = [case.derivatives(module) for module in both(case)]
    assert all(torch.equal(mine, its) for mine, its in zip(*seen, strict=True))


@given(case=cases)
def test_a_picture_gives_the_same_bits_in_any_place_beside_any_other(case: Case) -> None:
    step, _ = both(case)
    fine = torch.from_numpy(np.random.Generator(np.random.Philox(case.key)).normal(size=(5, 99)))
    pixels = case.input()[:1] * fine.float().view(5, 1, 11, 9)
    there = [pixels, pixels.flip(0), torch.cat((pixels[:1], torch.zeros_like(pixels[1:])))]
    seen = []
    for batch in there:
        batch.requires_grad_()
        values = step(batch)
        (slopes,) = torch.autograd.grad(values.sum(), batch)
        seen.append((values, slopes))
    for part in (0, 1):
        whole, turned, alone = (each[part] for each in seen)
        assert torch.equal(whole, turned.flip(0)) and torch.equal(whole[0], alone[0])


@given(acts=st.lists(st.sampled_from(list(ACTS)), min_size=2, max_size=4), key=st.integers(0, 99))
def test_a_chain_is_its_layers_one_after_another(acts: list[str], key: int) -> None:
    """Numbers small enough that sums through four convolutions stay whole and exact."""
    cases = [Case((2, 1), 1, 1, 1, (1, 2, 2), act, True, 2, key + n) for n, act in enumerate(acts)]
    layers = [case.layer() for case in cases]
    chain = Chain(
        [Step(la, KINKS.get(ACTS[act], NONE)) for la, act in zip(layers, acts, strict=True)]
    )
    pairs = [(la, ACTS[act]()) for la, act in zip(layers, acts, strict=True)]
    seen: list[tuple[Tensor, ...]] = []
    for module in (chain, nn.Sequential(*(part for pair in pairs for part in pair))):
        pixels = cases[0].input().requires_grad_()
        values = module(pixels)
        weight = cases[-1].whole(*values.shape).requires_grad_()
        (plain,) = torch.autograd.grad((weight * values).sum(), pixels, retain_graph=True)
        kept = plain.clone()
        (slopes,) = torch.autograd.grad((weight * values).sum(), pixels, create_graph=True)
        (again,) = torch.autograd.grad(slopes.square().sum(), weight)
        assert torch.equal(plain, kept) and torch.equal(plain, slopes)
        seen.append((values, plain, again))
    for mine, its in zip(*seen, strict=True):
        assert torch.equal(mine, its)


@pytest.mark.parametrize("act", list(ACTS))
def test_slopes_that_come_from_outside_are_not_written_over(act: str) -> None:
    """Where values are added, autograd gives both sides the very same slopes."""
    case = Case((3, 3), 1, 1, 1, (1, 2, 2), act, True, 2, 7)
    step, _ = both(case)
    pixels = case.input().requires_grad_()
    values = step(pixels)
    other, weight = torch.zeros_like(values).requires_grad_(), torch.full_like(values, 2)
    _, slopes = torch.autograd.grad(((values + other) * weight).sum(), (pixels, other))
    assert torch.equal(slopes, weight) and (values <= 0).any()


@pytest.mark.parametrize("stride", [1, 2])
def test_low_precision_goes_back_through_strides_in_float32_and_no_other(stride: int) -> None:
    drawn = np.random.Generator(np.random.Philox(2)).normal(size=(2, 6, 9, 9))
    pixels = torch.from_numpy(drawn).to(torch.bfloat16).requires_grad_()
    layer = nn.Conv2d(6, 6, 3, stride, 1, groups=6).to(torch.bfloat16).requires_grad_(False)
    layer.weight.copy_(pixels.detach()[:, :, :3, :3].reshape(-1, 1, 3, 3)[:6])
    if not can(layer):
        pytest.skip("this processor has no bfloat16 that oneDNN would use")
    step, exact = Step(layer), layer.weight.float()
    assert (step.back.dtype == torch.float32) == (stride > 1)
    values = Chain([step])(pixels)
    assert torch.equal(values, layer(pixels))
    (found,) = torch.autograd.grad(values.square().sum(), pixels)
    assert step.slopes(values.detach(), pixels.shape).dtype == torch.bfloat16
    slopes = (2 * values.detach()).float()
    wanted = conv2d_input(pixels.shape, exact, slopes, stride, 1, 1, 6)  # type: ignore[no-untyped-call]
    assert torch.equal(found, wanted.to(torch.bfloat16)) or stride == 1
    torch.testing.assert_close(found.float(), wanted, rtol=0.02, atol=0.02)


def test_what_onednn_cannot_compute_stays_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can(nn.Conv2d(3, 4, 3))
    assert not can(nn.Conv2d(3, 4, 3).double()) and not can(nn.Conv2d(3, 4, 3, padding="same"))
    assert not can(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"))
    with monkeypatch.context() as gone:
        gone.setattr(torch.ops, "mkldnn", SimpleNamespace())
        assert not can(nn.Conv2d(3, 4, 3))
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not can(nn.Conv2d(3, 4, 3))
