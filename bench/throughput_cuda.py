"""Samples a second on a GPU: the bare network, ours with everything, Captum, and a plain loop.

    python -m bench.throughput_cuda                       within ten minutes; docs/gpu.md
    python -m bench.throughput_cuda --device cpu --models digits-tiny --lanes 8 --seconds 0.1

Each arm is built, warmed up, run ROUNDS times and put away again, so that its memory is its own;
the first arm of a setting comes once more at the end, so that drift shows. After each setting
throughput_cuda.json is written anew: a run that is cut leaves what it has. Settings that --minutes
leave no time for are listed as not measured. In float32 nothing is rounded to TF32, for Captum too.
"""

import argparse
import gc
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console

from bench.provenance import ROOT, provenance
from bench.throughput_cuda_arms import DEPTHS, Arm, Run, Setting, arms, draw, setting
from models.devices import has_tensor_float
from models.gpu.inputs import Plain
from models.gpu.sampler import GpuSampler, default_ways
from models.precision import FLOAT32, TF32

MODELS = ("efficientnet-lite0", "mobilenet-v2")
PRECISIONS = (FLOAT32, TF32, "bfloat16")
LANES = (64, 256, 8)
ROUNDS = 5
TRIAL = 4  # steps of an arm before the clock counts


@dataclass(frozen=True)
class Row:
    """Samples a second of one arm: median, least and most of the rounds. peak: bytes on the GPU at
    most, beyond what lay there before the arm was built."""

    model: str
    precision: str
    lanes: int
    arm: str
    samples: int
    rate: float
    least: float
    most: float
    peak: int


def main() -> None:
    """Measure setting after setting, and write after each."""
    chosen = _arguments()
    torch.set_num_threads(1)  # as in a worker
    ends, console = time.monotonic() + 60 * chosen.minutes, Console()
    record: dict[str, Any] = {**provenance(), "seconds": chosen.seconds, "rounds": ROUNDS}
    record["commit"] = chosen.commit or record["commit"]
    record |= {"rows": [], "evidence": [], "profile": {}, "failed": [], "not measured": []}
    chosen.out.mkdir(parents=True, exist_ok=True)
    path = chosen.out / "throughput_cuda.json"
    for model, precision, lanes in _order(chosen):
        name = f"{model} {precision} {lanes}"
        if time.monotonic() > ends:
            record["not measured"].append(name)
        else:
            at = setting(model, precision, lanes, torch.device(chosen.device))
            record["evidence"].append({"setting": name, **agreement(at)})
            for arm in list(arms(at)):
                # One arm that fails, of memory or a compiler, must not cost the others.
                try:
                    row = measured(at, arm, chosen.seconds)
                except RuntimeError as error:
                    record["failed"].append({"setting": name, "arm": arm.name, "said": str(error)})
                    continue
                record["rows"].append(asdict(row))
                console.print(f"{name:34} {row.arm:26} {row.rate:10.1f}", highlight=False)
            if at.hardware.device.type == "cuda":
                record["profile"][name] = profile(at)
        path.write_text(json.dumps(record, indent=1) + "\n")
    console.print(f"wrote {path}")


def measured(at: Setting, arm: Arm, seconds: float) -> Row:
    """One arm; each of its rounds lasts about so long."""
    recipe, before = at.plan.recipe, _memory(at)
    run = arm.made()
    samples = _enough(at, arm, run, seconds)
    rates = sorted(samples / _taken(at, run, samples) for _ in range(ROUNDS))
    return Row(
        model=at.plan.model,
        precision=recipe.precision,
        lanes=recipe.lanes,
        arm=arm.name,
        samples=samples,
        rate=median(rates),
        least=rates[0],
        most=rates[-1],
        peak=_memory(at, most=True) - before,
    )


def agreement(at: Setting) -> dict[str, bool]:
    """Whether each way gives the plain sampler's evidence, of two batches and a bit."""
    asked = at.plan, at.picture, 5, 8 + 2 * at.plan.recipe.lanes
    wanted = at.sampler.draw(*asked).digest()
    found = {}
    for name, way in (("best", default_ways(at.hardware.device)[0]), ("plain", Plain)):
        for depth in DEPTHS:
            sampler = GpuSampler(at.sampler, at.hardware, [way], depth)
            same = sampler.draw(*asked).digest() == wanted
            found[f"{name}, {depth} in flight"] = same and sampler.depth(at.plan) == depth
    return found


def profile(at: Setting) -> list[dict[str, Any]]:
    """Which kernels a draw of 32 batches spends the device's time in, the 15 longest."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as watching

    run = draw(at, at.hardware, default_ways(at.hardware.device)[0], 2)
    samples = 32 * at.plan.recipe.lanes
    run(samples)
    with watching(activities=[ProfilerActivity.CUDA]) as watched:
        run(samples)
        torch.cuda.synchronize()
    events = [each for each in watched.key_averages() if each.self_device_time_total]
    events.sort(key=lambda each: -each.self_device_time_total)
    total = sum(each.self_device_time_total for each in events)
    return [
        {
            "kernel": each.key[:120],
            "calls": each.count,
            "share": each.self_device_time_total / total,
        }
        for each in events[:15]
    ]


def _enough(at: Setting, arm: Arm, run: Run, seconds: float) -> int:
    """How many samples take about so long; runs the arm twice, which warms it up."""
    few = TRIAL * arm.step
    run(few)
    steps = TRIAL * seconds / _taken(at, run, few)
    return arm.step * max(1, round(steps))


def _taken(at: Setting, run: Run, samples: int) -> float:
    """Seconds of one run, until the device is done."""
    _synchronised(at)
    began = time.perf_counter()
    run(samples)
    _synchronised(at)
    return time.perf_counter() - began


def _synchronised(at: Setting) -> None:
    if at.hardware.device.type == "cuda":
        torch.cuda.synchronize()


def _memory(at: Setting, most: bool = False) -> int:
    """Bytes that torch holds on the GPU, or held at most since this was asked without `most`."""
    if at.hardware.device.type != "cuda":
        return 0
    if most:
        return torch.cuda.max_memory_allocated()
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def _order(chosen: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    for model in chosen.models:
        for precision in chosen.precisions:
            if precision == TF32 and not has_tensor_float(chosen.device):
                continue
            for lanes in chosen.lanes:
                yield model, precision, lanes


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=MODELS, help="names of model cards")
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS)
    parser.add_argument("--lanes", nargs="+", type=int, default=LANES)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one round of one arm")
    parser.add_argument("--minutes", type=float, default=8, help="no setting begins later")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu for a trial")
    parser.add_argument("--commit", help="where the tree is a copy without its history")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "bench")
    return parser.parse_args()


if __name__ == "__main__":
    main()
