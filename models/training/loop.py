"""The training loop: one for all recipes. What it does at a step depends on the step alone.

Order, augmentation, noise and starts are addresses, the rate is a function of the step, and a
checkpoint holds the rest; so a run that was interrupted ends with the same bits as one that was
not, on the same kind of machine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from models.architectures import ARCHITECTURES
from models.data.dataset import DataSet, Split
from models.devices import exact
from models.training import checkpoint
from models.training.assignment import SCHEDULES, Assignment, Unwanted
from models.training.augment import Augmentation, tensor
from models.training.checkpoint import Progress
from models.training.draws import MOST_SAMPLES, Draws, order
from models.training.initial import initialise
from models.training.lesson import Batch
from models.training.pupil import Pupil

MEAN = STD = (127.5, 127.5, 127.5)
CHECKPOINT = "checkpoint.safetensors"
# The order of an epoch is asked for at each of its steps.
_order = lru_cache(maxsize=2)(order)


class Diverged(RuntimeError):
    """The loss is no number any more."""


@dataclass(frozen=True)
class Seen:
    """What is reported after each batch. means: of what was logged in this epoch so far."""

    step: int
    steps: int
    epoch: int
    epochs: int
    means: Mapping[str, float]


Report = Callable[[Seen], None]


@dataclass(frozen=True)
class Trained:
    """What came out: the network in evaluation mode and the means of each epoch."""

    module: nn.Module
    history: tuple[dict[str, float], ...]


class Run:
    """One assignment over one data set, in a folder that holds its checkpoint."""

    def __init__(
        self, assignment: Assignment, data: DataSet, folder: Path, device: str = "cpu"
    ) -> None:
        self.assignment, self.recipe, self.folder = assignment, assignment.made(), folder
        self.split = data.train.first(assignment.take) if assignment.take else data.train
        self.augmentation = Augmentation(assignment.pad, assignment.flip)
        self.key, self.identity = int(assignment.key, 16), assignment.digest(data.digest)
        self.batches = -(-len(self.split) // assignment.batch)
        self.module = fresh(assignment.architecture, data, self.key, torch.device(device))
        self.pupil = Pupil(self.module, MEAN, STD, assignment.mixed)
        self.optimiser = optimiser(assignment, self.module)
        if len(self.split) >= MOST_SAMPLES:
            raise Unwanted(f"data have {len(self.split)} pictures; at most {MOST_SAMPLES - 1}")

    @property
    def steps(self) -> int:
        """Batches of the whole run."""
        return self.batches * self.assignment.epochs

    def train(self, report: Report = lambda seen: None, every: int = 0) -> Trained:
        """Train from the folder's checkpoint, or from the beginning, to the end.

        Writes a checkpoint after each epoch and, if not 0, after each `every` batches. `report`
        hears of each batch, after its checkpoint. Raises BadCheckpoint for one of another run, and
        Diverged.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path, progress = self.folder / CHECKPOINT, Progress()
        if path.exists():
            progress = checkpoint.load(path, self.identity, self.module, self.optimiser)
        while progress.step < self.steps:
            progress = self._step(progress)
            ended = progress.step % self.batches == 0
            if ended or (every and progress.step % every == 0):
                checkpoint.save(path, self.identity, progress, self.module, self.optimiser)
            report(self._seen(progress))
        return Trained(self.module.eval(), progress.history)

    def batch(self, step: int) -> Batch:
        """The batch of this step, as a function of the step alone."""
        epoch, number = divmod(step, self.batches)
        first = number * self.assignment.batch
        chosen = _order(self.key, epoch, len(self.split))[first : first + self.assignment.batch]
        return drawn(
            self.split,
            chosen,
            Draws(self.key, epoch, number, tuple(chosen.tolist())),
            self.augmentation,
            self.pupil.device,
        )

    def _step(self, progress: Progress) -> Progress:
        for group in self.optimiser.param_groups:
            done = (progress.step + 1) / self.steps
            group["lr"] = self.assignment.rate * SCHEDULES[self.assignment.schedule](done)
        outcome = self.recipe(self.pupil, self.batch(progress.step))
        loss = float(outcome.loss.detach())
        if not np.isfinite(loss):
            rule = "lower the rate, or the weight of the regularizer"
            raise Diverged(f"loss is {loss} at step {progress.step}; {rule}")
        self.optimiser.zero_grad()
        outcome.loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        said = {name: float(value.detach()) for name, value in outcome.said.items()}
        return self._counted(progress, {"loss": loss, **said})

    def _counted(self, progress: Progress, said: Mapping[str, float]) -> Progress:
        sums = {name: progress.sums.get(name, 0.0) + value for name, value in said.items()}
        step = progress.step + 1
        if step % self.batches:
            return Progress(step, sums, progress.history)
        means = {name: value / self.batches for name, value in sums.items()}
        return Progress(step, {}, (*progress.history, means))

    def _seen(self, progress: Progress) -> Seen:
        done = progress.step % self.batches
        means = {name: value / done for name, value in progress.sums.items()} if done else {}
        epoch = (progress.step - 1) // self.batches
        shown = means or progress.history[-1]
        return Seen(progress.step, self.steps, epoch, self.assignment.epochs, shown)


def drawn(
    split: Split,
    chosen: np.ndarray[tuple[int], np.dtype[np.int64]],
    draws: Draws,
    augmentation: Augmentation,
    device: torch.device,
) -> Batch:
    """The chosen pictures of a split, augmented alike with what is marked on them."""
    labels = torch.from_numpy(split.labels[chosen]).to(device)
    pictures = tensor(augmentation(split.pictures[chosen], draws), device)
    if split.regions is None:
        return Batch(pictures, labels, draws)
    regions = split.regions[chosen][..., np.newaxis]
    # Marks are -1, 0, 1; what comes in from outside becomes 0, unmarked.
    moved = augmentation(regions.view(np.uint8), draws)
    marks = np.ascontiguousarray(moved).view(np.int8)
    return Batch(pictures, labels, draws, torch.from_numpy(marks).to(device, torch.float32))


def fresh(architecture: str, data: DataSet, key: int, device: torch.device) -> nn.Module:
    """The untrained network for these data. Raises Unwanted where it does not fit the pictures."""
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise Unwanted(f"architecture is {architecture!r}; it must be one of {known}")
    if device.type == "cuda":
        exact()
    module = ARCHITECTURES[architecture].build(len(data.classes))
    initialise(module, key)
    try:
        with torch.no_grad():
            module.eval()(torch.zeros(1, 3, data.side, data.side))
    except RuntimeError as error:
        fits = f"{architecture} does not take pictures of {data.side}×{data.side}"
        raise Unwanted(f"{fits}: {error}") from error
    return module.to(device)


def optimiser(assignment: Assignment, module: nn.Module) -> Optimizer:
    """The optimiser of an assignment; its rate is set at each step."""
    decay = assignment.weight_decay
    if assignment.optimiser == "adam":
        return AdamW(module.parameters(), assignment.rate, weight_decay=decay)
    return SGD(module.parameters(), assignment.rate, 0.9, weight_decay=decay, nesterov=True)
