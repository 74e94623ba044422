"""The arms of bench.throughput_cuda: ways to make maps of noisy pictures on a device."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.planned import planned
from bench.provenance import ROOT
from certify.plan import Plan
from models.gpu.flight import Flight
from models.gpu.hardware import Cuda, Hardware, Here
from models.gpu.inputs import Plain, Write, kernel
from models.gpu.sampler import GpuSampler, Way, default_ways
from models.kernels.launches import Pictures, laws_on, told
from models.loading import Network, build, read_weights
from models.passes import Pass, passing
from models.registry import card
from models.sampling import Sampler

DEPTHS = (1, 2, 4)
CAPTUM_BATCHES = (32, 128)
KEY = "affd0000000000000000000000000007"
PHOTOGRAPH = ROOT / "examples" / "photos" / "coffee.jpg"
Run = Callable[[int], object]


@dataclass(frozen=True, eq=False)
class Setting:
    """One network in one precision, with so many lanes, and a plan about the photograph."""

    sampler: Sampler
    hardware: Hardware
    picture: NDArray[np.uint8]
    plan: Plan

    @property
    def of(self) -> Pass:
        """The pass of the plan."""
        recipe = self.plan.recipe
        return passing(self.sampler.at(recipe.precision), recipe.attribution)


@dataclass(frozen=True)
class Arm:
    """Something that makes maps of a number of samples that `step` divides. made: builds it."""

    name: str
    step: int
    made: Callable[[], Run]


def setting(model: str, precision: str, lanes: int, device: torch.device) -> Setting:
    """The network on the device; the plan is about the gradient."""
    sampler = Sampler(Network(card(model), device))
    hardware = Here() if device.type == "cpu" else Cuda(device)
    picture, plan = planned(sampler, PHOTOGRAPH, sampler.card.defaults.scale, KEY)
    recipe = replace(plan.recipe, precision=precision, lanes=lanes, attribution="gradient")
    return Setting(sampler, hardware, picture, replace(plan, recipe=recipe))


def arms(at: Setting) -> Iterator[Arm]:
    """What is compared. `bare` is the network alone, forward and back to its input."""
    lanes = at.plan.recipe.lanes
    best = default_ways(at.hardware.device)[0]
    for depth in DEPTHS:
        yield Arm(f"bare, {depth} in flight", lanes, partial(bare, at, at.hardware, depth))
        yield Arm(f"draw, {depth} in flight", lanes, partial(draw, at, at.hardware, best, depth))
    if at.hardware.device.type == "cuda":
        eager = Cuda(at.hardware.device, graphs=False)
        yield Arm("bare, no graph", lanes, partial(bare, at, eager, 1))
        yield Arm("draw, no graph", lanes, partial(draw, at, eager, best, 2))
        if (write := kernel()) is not None:
            yield Arm("noise alone", lanes, partial(noise, at, write))
    yield Arm("draw, noise by torch", lanes, partial(draw, at, at.hardware, Plain, 2))
    yield Arm("draw, plain sampler", lanes, lambda: _drawn(at, at.sampler))
    if at.plan.recipe.precision == "float32":
        for batch in CAPTUM_BATCHES:
            yield Arm(f"captum {batch}", batch, partial(captum, at, batch))
        yield Arm("loop", 16, partial(loop, at))
    yield Arm("bare, 1 in flight, again", lanes, partial(bare, at, at.hardware, 1))


def bare(at: Setting, hardware: Hardware, depth: int) -> Run:
    """Passes over input made beforehand; nothing is read of what they give."""
    flight = Flight(at.of, at.plan.recipe.lanes, hardware, depth)
    for slot in flight.slots:
        slot.input.copy_(torch.linspace(-2, 2, slot.input.numel()).reshape(slot.input.shape))

    def run(samples: int) -> None:
        for number in range(samples // at.plan.recipe.lanes):
            slot = flight.slots[number % len(flight.slots)]
            slot.queue.submit(slot.passed)
        for slot in flight.slots:
            slot.queue.wait()

    return run


def draw(at: Setting, hardware: Hardware, way: Way, depth: int) -> Run:
    """Evidence, everything included."""
    return _drawn(at, GpuSampler(at.sampler, hardware, [way], depth))


def noise(at: Setting, write: Write) -> Run:
    """The kernel alone, launch after launch."""
    of, lanes, device = at.of, at.plan.recipe.lanes, at.hardware.device
    values = torch.from_numpy(at.picture.reshape(1, -1)).to(device)
    mean, std = (torch.tensor(each, device=device) for each in (of.mean, of.std))
    shown = Pictures(values, mean, std)
    rows = torch.from_numpy(told(int(KEY, 16), range(lanes))).to(device)
    laws, size = laws_on(device, (at.plan.recipe.noise,)), at.sampler.card.size
    into = torch.empty((lanes, 3, size, size), dtype=of.dtype, device=device)
    into = into.to(memory_format=torch.channels_last)

    def run(samples: int) -> None:
        for _ in range(samples // lanes):
            write(into, rows, shown, laws)

    return run


def captum(at: Setting, batch: int) -> Run:
    """SmoothGrad by Captum: NoiseTunnel over Saliency, on the network as its package has it."""
    from captum.attr import NoiseTunnel, Saliency

    module, normalised, spread = _shipped(at)
    tunnel = NoiseTunnel(Saliency(module))

    def run(samples: int) -> object:
        return tunnel.attribute(
            normalised,
            nt_type="smoothgrad",
            nt_samples=samples,
            nt_samples_batch_size=batch,
            stdevs=spread,
            target=at.plan.target,
        )

    return run


def loop(at: Setting) -> Run:
    """SmoothGrad as its authors released it: one noisy picture after another, gradients added."""
    module, normalised, spread = _shipped(at)

    def run(samples: int) -> Tensor:
        total = torch.zeros_like(normalised)
        for _ in range(samples):
            pixels = (normalised + spread * torch.randn_like(normalised)).requires_grad_()
            (slope,) = torch.autograd.grad(module(pixels)[0, at.plan.target], pixels)
            total += slope
        return total / samples

    return run


def _drawn(at: Setting, sampler: Sampler | GpuSampler) -> Run:
    return lambda samples: sampler.draw(at.plan, at.picture, 0, samples)


def _shipped(at: Setting) -> tuple[nn.Module, Tensor, float]:
    """The unfolded network, laid out as it comes, the normalised picture, and its noise."""
    made, device = at.sampler.card, at.hardware.device
    module = build(made, read_weights(made)).to(device)
    clean = torch.from_numpy(at.picture).to(device).float().unsqueeze(0)
    spread = 255 * at.plan.recipe.scale / float(np.mean(made.std))
    return module, at.sampler.network.normalised(clean).contiguous(), spread
