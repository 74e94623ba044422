"""Noisy pictures, written where the network will read them."""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify import noise as exact_noise
from certify.plan import Plan
from certify.randomness import Words
from models.native import noise as native
from models.noise import Drawer
from models.passes import Pass

Fill = Callable[[range, Tensor], None]


def filler(plan: Plan, image: NDArray[np.uint8], of: Pass) -> Fill:
    """Return a function that writes samples of the plan: (picture + noise - mean) / std.

    It is given sample indices and where to write, (len(samples), height, width, channels) float32
    on the pass's device. Mean and std are the pass's. Picture plus noise is an integer below 2^24
    and so exact in float32; the difference and the quotient are each rounded once.
    """
    make = on_cpu if of.network.device.type == "cpu" else on_device
    return make(plan, image, of)


def on_cpu(plan: Plan, image: NDArray[np.uint8], of: Pass) -> Fill:
    """The filler whose noise is drawn by the processor: as native code, or by numpy."""
    law, key, clean = plan.recipe.noise, int(plan.key, 16), image.astype(np.float32)
    mean, std = np.array(of.mean, np.float32), np.array(of.std, np.float32)
    if native.suits(law, image.shape):
        return partial(_fill, native.Noisy(law, key, clean, mean, std))
    table, words = exact_noise.table(law), Words(key)

    def fill(samples: range, into: Tensor) -> None:
        noise, found = exact_noise.drawn(table, words, samples, plan.entries), into.numpy()
        np.add(clean, noise.reshape(found.shape), out=found)
        np.subtract(found, mean, out=found)
        np.divide(found, std, out=found)

    return fill


def _fill(noisy: native.Noisy, samples: range, into: Tensor) -> None:
    for sample, row in zip(samples, into.numpy(), strict=True):
        noisy.write(sample, row)


def on_device(plan: Plan, image: NDArray[np.uint8], of: Pass) -> Fill:
    """The filler whose noise is drawn where the network is."""
    device, key = of.network.device, int(plan.key, 16)
    drawer = _drawer(plan.recipe.noise, device)
    clean = torch.from_numpy(image).to(device, torch.float32)
    mean, std = (
        torch.tensor(each, dtype=torch.float32, device=device) for each in (of.mean, of.std)
    )

    def fill(samples: range, into: Tensor) -> None:
        noise = drawer.draw(key, samples, plan.entries)
        torch.add(clean, noise.reshape(into.shape), out=into).sub_(mean).div_(std)

    return fill


@lru_cache(maxsize=8)
def _drawer(law: exact_noise.Law, device: torch.device) -> Drawer:
    return Drawer(exact_noise.table(law), device)
