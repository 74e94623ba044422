"""A process that does nothing but the network: passes over one noisy batch, made before.

    python -m bench.bare efficientnet-lite0 gradient float32

says "ready", then for each line with a number of seconds makes passes for so long and says, as
JSON, how many pictures that were, and the seconds and processor seconds they took. Memory, threads,
lanes and the network are those of a worker process.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.provenance import ROOT
from service.pool.allocator import keep_memory

if TYPE_CHECKING:
    from torch import Tensor

SCALE = 0.25


@dataclass(frozen=True)
class Bare:
    """One such process."""

    process: "subprocess.Popen[str]"

    def begin(self, seconds: float) -> None:
        """Let it make passes for so long."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def end(self) -> dict[str, float]:
        """What it says when it has."""
        assert self.process.stdout is not None
        told: dict[str, float] = json.loads(self.process.stdout.readline())
        return told


@contextmanager
def bare_processes(
    count: int, model: str, attribution: str, precision: str
) -> Iterator[list[Bare]]:
    """So many processes, ready."""
    command = (sys.executable, "-m", "bench.bare", model, attribution, precision)
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        made = [
            stack.enter_context(
                subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)
            )
            for _ in range(count)
        ]
        for process in made:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield [Bare(process) for process in made]
        for process in made:
            assert process.stdin is not None
            process.stdin.close()


def together(processes: list[Bare], seconds: float) -> dict[str, Any]:
    """Pictures a second of all, at work at once, and processor seconds for each picture."""
    for each in processes:
        each.begin(seconds)
    told = [each.end() for each in processes]
    pictures = sum(one["pictures"] for one in told)
    rate = sum(one["pictures"] / one["seconds"] for one in told)
    return {"rate": rate, "cpu": sum(one["cpu"] for one in told) / pictures}


def batch(model: str) -> "tuple[Tensor, int]":
    """As many noisy pictures as the model has lanes, and the class that they are of."""
    import torch

    from bench.planned import fitted
    from certify.noise import Gaussian, draw, table
    from models.registry import card
    from service.settings import bundled_photo

    chosen = card(model)
    picture = fitted(bundled_photo(), chosen)
    law = table(Gaussian(SCALE))
    noisy = [
        picture + draw(law, 7, n, picture.size).reshape(picture.shape) for n in range(chosen.lanes)
    ]
    return torch.from_numpy(np.stack(noisy).astype(np.float32)), 0


def main() -> None:
    """Be such a process."""
    model, attribution, precision = sys.argv[1:]
    keep_memory()
    import torch

    from models.attribution.bases import ATTRIBUTIONS
    from models.loading import Network
    from models.registry import card

    torch.set_num_threads(1)
    network = Network(card(model)).at(precision)
    explain = ATTRIBUTIONS[attribution].with_logits
    noisy, target = batch(model)
    explain(network, noisy, target)
    print("ready", flush=True)
    for line in sys.stdin:
        passes, began, worked = 0, time.monotonic(), time.process_time()
        while (seconds := time.monotonic() - began) < float(line):
            explain(network, noisy, target)
            passes += 1
        told = {"pictures": passes * len(noisy), "seconds": seconds}
        print(json.dumps(told | {"cpu": time.process_time() - worked}), flush=True)


if __name__ == "__main__":
    main()
