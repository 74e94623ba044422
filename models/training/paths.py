"""Integrated gradients that can be trained through, one point of the path in memory at a time.

    A(u → v) = (v - u) · 1/m Σ_{k=1..m} ∂ value / ∂ z at z_k = u + k/m (v - u)

A sum over points, so its slopes are sums too: the backward pass computes each point's gradient a
second time, with its graph, and lets go of it before the next. Memory is that of one point whatever
m is; the price is one more forward and backward pass for each.

Reference: Sundararajan, Taly & Yan (2017), arXiv:1703.01365, by right ends as in the code of Chen
et al. (2019), arXiv:1905.09957.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.training.ascent import Values


def along(
    values: Values, start: Tensor, end: Tensor, steps: int, parameters: Sequence[Tensor] = ()
) -> Tensor:
    """A(start → end) of `values`, signed, of the pictures' shape; to be differentiated once.

    values: pictures -> (n,), each from its picture alone. Slopes exist with respect to `end` and to
    those `parameters` of `values` that are listed; `start` is a constant. Raises ValueError for no
    steps.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}; a path must have at least 1")
    made: Tensor = _Along.apply(values, steps, start.detach(), end, *parameters)  # type: ignore[no-untyped-call]
    return made


class _Along(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Values, steps: int, start: Tensor, end: Tensor, *parameters: Tensor
    ) -> Tensor:
        ctx.values, ctx.steps, ctx.parameters = values, steps, parameters
        ctx.save_for_backward(start, end)
        way, total = end - start, torch.zeros_like(end)
        for step in range(1, steps + 1):
            point = (start + step / steps * way).detach().requires_grad_()
            with torch.enable_grad():
                total += torch.autograd.grad(values(point).sum(), point)[0]
        return way * (total / steps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        start, end = ctx.saved_tensors
        free = end.detach().requires_grad_()
        wanted = [free, *ctx.parameters]
        totals: list[Tensor | None] = [None] * len(wanted)
        for step in range(1, ctx.steps + 1):
            with torch.enable_grad():
                way = free - start
                point = start + step / ctx.steps * way
                value = ctx.values(point).sum()
                (steep,) = torch.autograd.grad(value, point, create_graph=True)
                parts = torch.autograd.grad(
                    way * steep / ctx.steps, wanted, outer, allow_unused=True
                )
            totals = [_added(total, part) for total, part in zip(totals, parts, strict=True)]
        return (None, None, None, *totals)


def _added(total: Tensor | None, part: Tensor | None) -> Tensor | None:
    if total is None or part is None:
        return total if part is None else part
    return total + part
