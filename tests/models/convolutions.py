"""Convolutions of small whole numbers, of which every product and every sum is exact in float32."""

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

ACTS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "hardtanh": nn.ReLU6, "none": nn.Identity}


@dataclass(frozen=True)
class Case:
    """One convolution, its kink and its input, whose numbers the key draws."""

    kernel: tuple[int, int]
    stride: int
    zeros: int
    spread: int
    channels: tuple[int, int, int]  # groups, inputs and outputs of each
    act: str
    bias: bool
    pictures: int
    key: int

    def layer(self) -> nn.Conv2d:
        groups, ins, outs = self.channels
        made = nn.Conv2d(
            groups * ins, groups * outs, self.kernel, self.stride, self.zeros, self.spread, groups
        )
        for parameter in made.parameters():
            parameter.data = self.whole(*parameter.shape)
        made.bias = made.bias if self.bias else None
        return made.to(memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload,no-any-return]

    def whole(self, *shape: int) -> Tensor:
        drawn = np.random.Generator(np.random.Philox([self.key, len(shape)]))
        return torch.from_numpy(drawn.integers(-3, 4, shape)).float()

    def input(self) -> Tensor:
        pixels = self.whole(self.pictures, self.channels[0] * self.channels[1], 11, 9)
        return pixels.contiguous(memory_format=torch.channels_last)

    def fine(self) -> Tensor:
        """An input whose numbers need every bit of a float32."""
        words = np.random.Generator(np.random.Philox(self.key))
        pixels = torch.from_numpy(words.normal(size=self.input().shape)).float()
        return pixels.contiguous(memory_format=torch.channels_last)

    def derivatives(self, module: nn.Module) -> tuple[Tensor, ...]:
        """Values, slopes that can be differentiated, slopes that cannot, and slopes of slopes."""
        pixels = self.input().requires_grad_()
        values = module(pixels)
        weight = self.whole(*values.shape).requires_grad_()
        (slopes,) = torch.autograd.grad((weight * values).sum(), pixels, create_graph=True)
        (plain,) = torch.autograd.grad((weight * module(pixels)).sum(), pixels)
        (again,) = torch.autograd.grad(slopes.square().sum(), weight)
        return values, slopes, plain, again


cases = st.builds(
    Case,
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.integers(1, 3),
    st.integers(0, 4),
    st.integers(1, 2),
    st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from(list(ACTS)),
    st.booleans(),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)
