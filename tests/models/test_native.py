"""Native code against the layers of PyTorch, and against its own definition, bit for bit."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from llvmlite import binding
from torch import Tensor, nn

from models.native import matrices
from models.native.chain import NativeChain
from models.native.compiling import NARROW, WIDE, available
from models.native.convolving import Shape
from models.native.ends import NativeLinear
from models.native.link import fits
from models.native.way import Way
from models.steps import BFLOAT16, KINKS, NONE, Step
from tests.models.convolutions import ACTS, Case, cases

SHAPES = {"narrow": NARROW, "wide": WIDE}
pytestmark = pytest.mark.skipif(not available(), reason="this processor has no fused operation")
shapes = st.sampled_from([*SHAPES.values()])
# Channels each alone, by eights; the generator of `cases` has them all together or in groups.
alone = st.builds(
    Case,
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.integers(1, 3),
    st.integers(0, 4),
    st.integers(1, 2),
    st.tuples(st.sampled_from([8, 16, 24, 40]), st.just(1), st.just(1)),
    st.sampled_from(list(ACTS)),
    st.booleans(),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)
together = cases.map(lambda case: Case(**{**vars(case), "channels": (1, *case.channels[1:])}))
many = st.builds(
    Case,
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(1, 2),
    st.integers(0, 1),
    st.just(1),
    st.tuples(st.just(1), st.integers(1, 40), st.integers(1, 70)),
    st.sampled_from(list(ACTS)),
    st.booleans(),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)
any_case = st.one_of(alone, together, many)


def chain(case: Case, shape: Shape) -> NativeChain:
    return NativeChain([Step(case.layer(), KINKS.get(ACTS[case.act], NONE))], shape)


@given(case=any_case, shape=shapes)
def test_values_slopes_and_slopes_of_slopes_are_those_of_the_layers(
    case: Case, shape: Shape
) -> None:
    both = chain(case, shape), nn.Sequential(case.layer(), ACTS[case.act]())
    seen = [case.derivatives(module) for module in both]
    assert all(torch.equal(mine, its) for mine, its in zip(*seen, strict=True))


@given(case=any_case)
def test_bits_depend_on_no_neighbour_and_on_no_tile(case: Case) -> None:
    pixels, seen = case.fine(), []
    for shape in SHAPES.values():
        for parts in ([pixels], pixels.split(1)):
            found = []
            for part in parts:
                part = part.requires_grad_()
                values = chain(case, shape)(part)
                found.append((values, *torch.autograd.grad(values.square().sum(), part)))
            seen.append([torch.cat(each) for each in zip(*found, strict=True)])
    for other in seen[1:]:
        for mine, its in zip(seen[0], other, strict=True):
            assert torch.equal(mine.detach(), its.detach())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@given(case=any_case, shape=shapes)
def test_a_step_in_low_precision_is_that_of_float32_rounded_once(
    dtype: torch.dtype, case: Case, shape: Shape
) -> None:
    # Products of matrices add up in an order of their own: tests/models/test_matrices.py.
    assume(dtype != torch.bfloat16 or not matrices.available() or max(case.channels[1:]) < 8)
    pixels = case.fine().to(dtype)
    exact = NativeChain([Step(case.layer())], shape)
    low = NativeChain([Step(case.layer().to(dtype), KINKS.get(ACTS[case.act], NONE))], shape)
    assert torch.equal(low(pixels), ACTS[case.act]()(exact(pixels.float()).to(dtype)))
    after = low(pixels).float()
    steep = (after > 0) & ((after < 6) | (case.act == "relu")) | (case.act == "none")
    behind = (case.whole(*after.shape) / 3).to(dtype)
    found = []
    for module, given_, slopes in ((low, pixels, behind), (exact, pixels.float(), behind * steep)):
        given_ = given_.requires_grad_()
        values = module(given_)
        found += torch.autograd.grad(values, given_, slopes.to(values.dtype))
    assert torch.equal(found[0], found[1].to(dtype))


def nearest(exact: Fraction) -> np.float32:
    """The float32 next to a number, of two as near the even one."""
    guess = np.float32(float(exact))
    around = [np.nextafter(guess, np.float32(way)) for way in (-np.inf, np.inf)]
    apart = {f: abs(Fraction(float(f)) - exact) for f in (guess, *around)}
    least = min(apart.values())
    return min((f for f in apart if apart[f] == least), key=lambda f: int(f.view(np.uint32)) & 1)


@pytest.mark.parametrize("groups", [1, 8])
def test_a_value_is_its_bias_to_which_products_are_added_in_order_each_rounded_once(
    groups: int,
) -> None:
    """Taps in the order of the kernel, and within a tap input channels: exact rational numbers."""
    words = np.random.Generator(np.random.Philox(groups))
    layer = nn.Conv2d(8, 8, (2, 3), groups=groups).requires_grad_(False)
    for parameter in layer.parameters():
        parameter.copy_(torch.from_numpy(words.normal(size=parameter.shape)))
    pixels = torch.from_numpy(words.normal(size=(1, 8, 2, 3))).float()
    found = NativeChain([Step(layer)])(pixels)[0, :, 0, 0].numpy()
    for out in range(8):
        total = layer.bias[out].numpy()[()]
        for row, column in np.ndindex(2, 3):
            for place in range(8 // groups):
                channel = place if groups == 1 else out
                factors = pixels[0, channel, row, column], layer.weight[out, place, row, column]
                product = Fraction(float(factors[0])) * Fraction(float(factors[1]))
                total = nearest(product + Fraction(float(total)))
        assert found[out] == total


@pytest.mark.parametrize("act", list(ACTS))
def test_what_is_not_finite_is_passed_on_as_by_the_layers(act: str) -> None:
    layer = nn.Conv2d(8, 8, 1, groups=8, bias=False).requires_grad_(False)
    layer.weight.fill_(1)
    odd = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 6.0, 5.9999995, 1e-45]
    pixels = torch.tensor(odd).view(1, 8, 1, 1)
    seen = []
    for module in (
        NativeChain([Step(layer, KINKS.get(ACTS[act], NONE))]),
        nn.Sequential(layer, ACTS[act]()),
    ):
        given = pixels.clone().requires_grad_()
        values = module(given)
        (slopes,) = torch.autograd.grad(values[values.isfinite()].sum(), given)
        seen.append((values.detach(), slopes))
    for mine, its in zip(*seen, strict=True):
        torch.testing.assert_close(mine, its, rtol=0, atol=0, equal_nan=True)


@given(acts=st.lists(st.sampled_from(list(ACTS)), min_size=2, max_size=4), key=st.integers(0, 99))
def test_a_chain_is_its_layers_one_after_another(acts: list[str], key: int) -> None:
    cases = [Case((2, 1), 1, 1, 1, (1, 2, 2), act, True, 3, key + n) for n, act in enumerate(acts)]
    layers = [case.layer() for case in cases]
    steps = [Step(la, KINKS.get(ACTS[act], NONE)) for la, act in zip(layers, acts, strict=True)]
    pairs = [(la, ACTS[act]()) for la, act in zip(layers, acts, strict=True)]
    seen: list[tuple[Tensor, ...]] = []
    for module in (NativeChain(steps), nn.Sequential(*(part for pair in pairs for part in pair))):
        pixels = cases[0].input().requires_grad_()
        values = module(pixels)
        weight = cases[-1].whole(*values.shape).requires_grad_()
        (plain,) = torch.autograd.grad((weight * values).sum(), pixels, retain_graph=True)
        (slopes,) = torch.autograd.grad((weight * values).sum(), pixels, create_graph=True)
        (again,) = torch.autograd.grad(slopes.square().sum(), weight)
        seen.append((values, plain, slopes, again))
    for mine, its in zip(*seen, strict=True):
        assert torch.equal(mine, its)


@pytest.mark.parametrize("held", [1, 4 * 8 * 99, 1 << 20])
def test_pictures_that_go_together_change_nothing(
    held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one, by twos with one left over, and all five at once."""
    monkeypatch.setattr("models.native.way.HELD", 2 * held)
    case = Case((3, 3), 1, 1, 1, (1, 8, 8), "relu", True, 5, 3)
    steps = [Step(case.layer(), KINKS[nn.ReLU]) for _ in range(2)]
    pixels = case.input().requires_grad_()
    values = NativeChain(steps)(pixels)
    assert len(list(Way(NativeChain(steps)._links, (11, 9)).parts(5))) == {1: 5, 1 << 20: 1}.get(
        held, 3
    )
    (slopes,) = torch.autograd.grad(values.sum(), pixels, create_graph=True)
    (quick,) = torch.autograd.grad(NativeChain(steps)(pixels).sum(), pixels)
    layers = nn.Sequential(case.layer(), nn.ReLU(), case.layer(), nn.ReLU())
    wanted = layers(pixels)
    assert torch.equal(values, wanted) and torch.equal(slopes, quick)
    assert torch.equal(quick, torch.autograd.grad(wanted.sum(), pixels)[0])


def test_a_linear_layer_is_itself() -> None:
    layer = nn.Linear(13, 21).requires_grad_(False)
    for parameter in layer.parameters():
        parameter.mul_(9).round_()
    x = torch.arange(39.0).reshape(3, 13).requires_grad_()
    mine, its = NativeLinear(layer)(x), layer(x)
    assert torch.equal(mine, its)
    slopes = [torch.autograd.grad(y.square().sum(), x)[0] for y in (mine, its)]
    assert torch.equal(*slopes)


def test_what_native_code_does_not_know_is_left_to_others() -> None:
    assert fits(nn.Conv2d(3, 5, 3)) and fits(nn.Conv2d(16, 16, 3, groups=16))
    assert not fits(nn.Conv2d(12, 12, 3, groups=12)) and not fits(nn.Conv2d(16, 16, 3, groups=2))
    assert not fits(nn.Conv2d(16, 32, 3, groups=16)) and not fits(nn.Conv2d(3, 5, 3).double())


def test_bfloat16_is_left_to_onednn_where_it_has_instructions_and_we_have_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, features = "_is_mkldnn_bf16_supported", "llvmlite.binding.get_host_cpu_features"
    here = binding.get_host_cpu_features()
    for its, own, ours in product((True, False), repeat=3):
        told = {each: None for each in BFLOAT16} | ({"avx512bf16": True} if own else {})
        monkeypatch.setattr(torch.ops.mkldnn, known, lambda its=its: its)
        monkeypatch.setattr(features, lambda told=told: {**here, **told})
        monkeypatch.setattr("models.native.matrices.available", lambda ours=ours: ours)
        its = its and own
        assert fits(nn.Conv2d(3, 5, 3).bfloat16()) is (ours or not its)
        assert fits(nn.Conv2d(3, 5, 3)) and fits(nn.Conv2d(3, 5, 3).half())


@given(case=any_case)
def test_slopes_that_come_from_outside_are_not_written_over(case: Case) -> None:
    assume(case.act != "none")
    pixels = case.input().requires_grad_()
    values = chain(case, NARROW)(pixels)
    other, weight = torch.zeros_like(values).requires_grad_(), torch.full_like(values, 2)
    _, slopes = torch.autograd.grad(((values + other) * weight).sum(), (pixels, other))
    assert torch.equal(slopes, weight)
