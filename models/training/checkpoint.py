"""A training run on disk: one file that holds all of its state, replaced whole or not at all.

Safetensors with the numbers in its header, so that nothing is unpickled on the way back.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

MODULE, OPTIMISER = "module.", "optimiser."


class BadCheckpoint(ValueError):
    """The file is no checkpoint, or one of another run."""


@dataclass(frozen=True)
class Progress:
    """How far a run is. step: batches done; sums: of what is logged, since the epoch began.

    history: for each epoch done the means of what was logged.
    """

    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: tuple[dict[str, float], ...] = ()


def save(path: Path, run: str, progress: Progress, module: nn.Module, optimiser: Optimizer) -> None:
    """Write the state of run `run`; an interruption leaves the file of before."""
    tensors = {f"{MODULE}{name}": tensor for name, tensor in module.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{OPTIMISER}{index}.{name}"] = value
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {"run": run, "progress": json.dumps(asdict(progress))}
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(safetensors.torch.save(whole, header))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load(path: Path, run: str, module: nn.Module, optimiser: Optimizer) -> Progress:
    """Put the state of the file into module and optimiser; return how far the run was.

    Raises BadCheckpoint for a damaged file or one of another run.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BadCheckpoint(f"{path} cannot be read: {error}; remove it to begin again") from error
    if header.get("run") != run:
        rule = "of another run: other settings or other data; name another folder, or remove it"
        raise BadCheckpoint(f"{path} is {rule}")
    return _restored(json.loads(header["progress"]), tensors, module, optimiser)


def _restored(
    numbers: dict[str, Any], tensors: dict[str, Tensor], module: nn.Module, optimiser: Optimizer
) -> Progress:
    parts: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(OPTIMISER):
            index, _, inner = name.removeprefix(OPTIMISER).partition(".")
            parts.setdefault(int(index), {})[inner] = tensor
    own = {n.removeprefix(MODULE): t for n, t in tensors.items() if n.startswith(MODULE)}
    module.load_state_dict(own, strict=True)
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": parts, "param_groups": groups})
    return Progress(numbers["step"], numbers["sums"], tuple(numbers["history"]))
