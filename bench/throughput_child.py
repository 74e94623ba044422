"""One measurement of docs/throughput.md in a process of its own, whose allocator is as asked.

    python -m bench.throughput_child race NAME [--rounds N] [--allocator tuned]
    python -m bench.throughput_child compiled NAME [--rounds N]
    python -m bench.throughput_child memory NAME --way draw --samples 64

Writes one line of JSON. Times are the processor's, of one thread: others share the machine.
"""

import argparse
import json
import resource
import time
import warnings
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.pool.allocator import keep_memory

if TYPE_CHECKING:
    from bench.throughput_arms import Arm
    from bench.throughput_subjects import Subject


def main() -> None:
    """Measure what is asked and write it."""
    chosen = _arguments()
    # The allocator is told before torch is loaded.
    if chosen.allocator == "tuned":
        keep_memory()
    import torch

    from bench.throughput_subjects import subject

    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    made = subject(chosen.name)
    found = _memory(made, chosen) if chosen.what == "memory" else _race(made, chosen)
    print(json.dumps(found))


def _race(subject: "Subject", chosen: argparse.Namespace) -> dict[str, Any]:
    from bench import throughput_arms
    from bench.throughput_agreement import levers, precisions
    from models.native import matrices

    whole = chosen.what == "race" and chosen.allocator == "tuned"
    if chosen.what == "compiled":
        raced = [*throughput_arms.by_compiler(subject, chosen.into)]
    else:
        raced = [*(throughput_arms.arms if whole else throughput_arms.few)(subject)]
    if chosen.brief:
        raced = [arm for arm in raced if arm.name not in throughput_arms.LEFT_OUT]
    return {
        "name": subject.plan.model,
        "size": subject.plan.height,
        "lanes": subject.plan.recipe.lanes,
        "allocator": chosen.allocator,
        "matrices": matrices.available(),
        "arms": race(raced, chosen.rounds),
        "agreement": [*levers(subject, raced)],
        "precisions": [*precisions(subject, chosen.brief)] if whole else [],
    }


def race(arms: Sequence["Arm"], rounds: int) -> list[dict[str, Any]]:
    """Each arm once a round, in turns; neighbours of several turns a round take them among each
    other, and their mean counts. The first time, which is not counted, warms up."""
    times: dict[str, list[float]] = {arm.name: [] for arm in arms}
    for arm in arms:
        if arm.most > 1:
            arm.run()
    for number in range(rounds):
        left = [arm for arm in arms if number < arm.most]
        for turns, group in groupby(left, lambda arm: arm.turns):
            for name, seconds in _took([*group], turns).items():
                times[name].append(round(seconds, 4))
    return [
        {
            "name": arm.name,
            "samples": arm.samples,
            "seconds": times[arm.name],
            "setup": round(arm.setup, 1),
        }
        for arm in arms
    ]


def _took(arms: Sequence["Arm"], turns: int) -> dict[str, float]:
    """Seconds that each arm took, in the mean of its turns."""
    took = dict.fromkeys((arm.name for arm in arms), 0.0)
    for _ in range(turns):
        for arm in arms:
            began = time.process_time()
            arm.run()
            took[arm.name] += (time.process_time() - began) / turns
    return took


def _memory(subject: "Subject", chosen: argparse.Namespace) -> dict[str, Any]:
    from bench.throughput_arms import captum, draw

    # What loading takes is not the method's.
    draw(subject, 1)
    before = _peak()
    if chosen.way == "draw":
        draw(subject, chosen.samples)
    else:
        captum(subject, chosen.samples, chosen.batch or None)
    return {
        "name": subject.plan.model,
        "way": chosen.way,
        "samples": chosen.samples,
        "batch": chosen.batch,
        "before_mib": before,
        "peak_mib": _peak(),
    }


def _peak() -> int:
    """Largest resident size of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("race", "compiled", "memory"))
    parser.add_argument("name")
    parser.add_argument("--brief", action="store_true", help="without what is slow or large")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--allocator", choices=("tuned", "default"), default="tuned")
    parser.add_argument("--into", type=Path, default=Path("/tmp"), help="for compiled networks")
    parser.add_argument("--way", choices=("draw", "captum"), default="draw")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--batch", type=int, default=0, help="of Captum; 0: all at once")
    return parser.parse_args()


if __name__ == "__main__":
    main()
