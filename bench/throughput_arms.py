"""The arms of docs/throughput.md: ways to make noisy pictures and take a map of each."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bench.throughput_levers import (
    Contiguous,
    Pass,
    by_onednn,
    compiled,
    convolutions,
    other,
    turned,
)
from bench.throughput_subjects import Subject
from models.attribution.bases import ATTRIBUTIONS
from models.loading import Network, fold

CAPTUM_BATCHES = (1, 8, 16, 32)
ALL = 64
BASES = ("gradient", "grad_cam")
# What a machine that is short of time and memory can do without.
LEFT_OUT = ("captum 1", "captum all", "float16")
# What a recipe may ask for where its card says fewer lanes.
WIDE = (16, 32)
WIDER = {"float32": "draw gradient", "bfloat16": "draw gradient bfloat16"}
# Turns in a round of what is to be compared closely.
TURNS = 6
# Of these less is measured.
LARGE = ("resnet50",)


@dataclass(frozen=True)
class Arm:
    """Something that makes maps of so many noisy pictures each time.

    most: rounds at most. turns: in each round, taken with neighbours that have as many. setup:
    processor seconds that it took beforehand. lever: whether it answers maps, to be compared with
    those of the bare network.
    """

    name: str
    samples: int
    run: Callable[[], object]
    most: int = 100
    turns: int = 1
    setup: float = 0.0
    lever: bool = False


def arms(subject: Subject) -> Iterator[Arm]:
    """The arms of one network."""
    lanes, large = subject.plan.recipe.lanes, subject.plan.model in LARGE
    for base in BASES:
        bare = partial(ATTRIBUTIONS[base].with_logits, subject.network, target=subject.plan.target)
        passes = _in_batches(subject, lanes, bare, 2 * lanes)
        turns = 1 if large else TURNS
        yield Arm(f"bare {base}", 2 * lanes, passes, turns=turns)
        yield Arm(f"draw {base}", 2 * lanes, partial(draw, subject, 2 * lanes, base), turns=turns)
        yield Arm(f"draw {base} bfloat16", lanes, partial(draw, subject, lanes, base, "bfloat16"))
    for wide, (precision, name) in product(WIDE[:1] if large else WIDE, WIDER.items()):
        if wide != lanes:
            see = partial(draw, subject, wide, "gradient", precision, wide)
            yield Arm(f"{name}, {wide} lanes", wide, see)
    for batch in CAPTUM_BATCHES[1:3] if large else CAPTUM_BATCHES:
        samples = max(8, batch)
        yield Arm(f"captum {batch}", samples, partial(captum, subject, samples, batch))
    if not large:
        yield Arm("captum all", ALL, partial(captum, subject, ALL, None))
    yield Arm("loop", 8, partial(loop, subject, 8))
    for name, network in (("", subject.network), (" bfloat16", subject.sampler.at("bfloat16"))):
        if (steps := by_onednn(network)) is not None:
            calls = convolutions(steps, subject.noisy[:lanes], subject.plan.target)
            yield Arm(f"convolutions{name}", lanes, partial(_each, calls))
    yield from _levers(subject)


def by_compiler(subject: Subject, packages: Path) -> Iterator[Arm]:
    """The gradient as one compiled graph, and without; none where there is no C++ compiler."""
    if shutil.which("g++") is None:
        return
    layers = subject.network.module
    yield _lever(subject, "bare gradient", subject.network, subject.plan.recipe.lanes)
    for name, module in (("compiled", layers), ("compiled, turned", turned(layers))):
        yield _compiled(subject, name, other(subject.network, module), packages)


def few(subject: Subject) -> Iterator[Arm]:
    """What is run again with the allocator as it comes."""
    lanes = subject.plan.recipe.lanes
    yield Arm("draw gradient", 2 * lanes, partial(draw, subject, 2 * lanes))
    for batch in CAPTUM_BATCHES[1:]:
        yield Arm(f"captum {batch}", batch, partial(captum, subject, batch, batch))
    yield Arm("captum all", ALL, partial(captum, subject, ALL, None))


def captum(subject: Subject, samples: int, batch: int | None) -> object:
    """SmoothGrad by Captum: NoiseTunnel over Saliency, on the network as shipped."""
    # Captum takes seconds to import and brings matplotlib.
    from captum.attr import NoiseTunnel, Saliency

    clean = torch.from_numpy(subject.picture).float().unsqueeze(0)
    normalised = subject.network.normalised(clean).contiguous()
    spread = 255 * subject.plan.recipe.scale / float(np.mean(subject.sampler.card.std))
    tunnel = NoiseTunnel(Saliency(subject.shipped))
    options = {"nt_type": "smoothgrad", "nt_samples": samples, "nt_samples_batch_size": batch}
    return tunnel.attribute(normalised, stdevs=spread, target=subject.plan.target, **options)


def loop(subject: Subject, samples: int) -> object:
    """SmoothGrad as its authors released it: one noisy picture after another, gradients added."""
    generator = np.random.Generator(np.random.Philox(1))
    clean = torch.from_numpy(subject.picture).float().unsqueeze(0)
    normalised = subject.network.normalised(clean).contiguous().numpy()
    spread = 255 * subject.plan.recipe.scale / float(np.mean(subject.sampler.card.std))
    total = np.zeros_like(normalised)
    for _ in range(samples):
        noise = generator.normal(0, spread, normalised.shape).astype(np.float32)
        pixels = torch.from_numpy(normalised + noise).requires_grad_()
        logits = subject.shipped(pixels)
        (slope,) = torch.autograd.grad(logits[0, subject.plan.target], pixels)
        total += slope.numpy()
    return total / samples


def draw(
    subject: Subject,
    samples: int,
    base: str = "gradient",
    precision: str = "float32",
    lanes: int | None = None,
) -> object:
    """Ours: noise, maps, votes and evidence, in one call; `lanes`: not those of the card."""
    recipe = replace(subject.plan.recipe, attribution=base, precision=precision)
    recipe = recipe if lanes is None else replace(recipe, lanes=lanes)
    plan = replace(subject.plan, recipe=recipe)
    return subject.sampler.draw(plan, subject.picture, 0, samples)


def _each(calls: Sequence[Callable[[], object]]) -> None:
    for call in calls:
        call()


def _in_batches(subject: Subject, lanes: int, see: Pass, samples: int) -> Callable[[], object]:
    parts = torch.split(subject.noisy[:samples], lanes)
    return lambda: [see(part) for part in parts]


def _levers(subject: Subject) -> Iterator[Arm]:
    """Gradients of pictures whose noise was made beforehand, one thing changed at a time."""
    network, shipped, lanes = subject.network, subject.shipped, subject.plan.recipe.lanes
    spread = deepcopy(shipped).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    low = subject.sampler.at("bfloat16")
    variants = {
        "shipped": other(network, nn.Sequential(Contiguous(), shipped)),
        "channels-last": other(network, spread),
        "folded": other(network, nn.Sequential(Contiguous(), fold(deepcopy(shipped)))),
        "layers": other(network, network.module),
        "turned": other(network, turned(network.module)),
        "steps": by_onednn(network),
        "bfloat16": low,
        "bfloat16 steps": by_onednn(low),
    }
    for name, variant in variants.items():
        if variant is not None:
            yield _lever(subject, name, variant, lanes)
    for wide in sorted({8, 16, 32} - {lanes}):
        yield _lever(subject, f"{wide} lanes", network, wide)
    yield _lever(subject, "bfloat16, 16 lanes", low, 16)
    if subject.plan.model not in LARGE:
        yield replace(_lever(subject, "float16", network.at("float16"), lanes), most=1)


def _lever(subject: Subject, name: str, network: Network, lanes: int) -> Arm:
    see = partial(ATTRIBUTIONS["gradient"].with_logits, network, target=subject.plan.target)
    return Arm(name, lanes, _in_batches(subject, lanes, see, lanes), lever=True)


def _compiled(subject: Subject, name: str, network: Network, packages: Path) -> Arm:
    lanes, began = subject.plan.recipe.lanes, sum(os.times()[:4])
    package = packages / f"{subject.plan.model}-{name.replace(', ', '-')}.pt2"
    see = compiled(network, subject.noisy[:lanes], subject.plan.target, package)
    setup = sum(os.times()[:4]) - began
    return Arm(name, lanes, _in_batches(subject, lanes, see, lanes), setup=setup, lever=True)
