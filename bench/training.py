"""Which training raises what can be certified of an explanation, and at what cost?

    python -m bench.training --data fashion-mnist:FOLDER --into out/training
    python -m bench.training --data cifar10:FOLDER --into out/training --device cuda --mixed
    python -m bench.training --data fashion-mnist:FOLDER --setting fashion-modest --into out/modest
    python -m bench.training --miniature --into out/miniature          digits, a minute

Trains every arm with its controls for each seed, examines what came out, and keeps each finished
unit in --into, so that the run may be cut anywhere: within a training it goes on from its last
checkpoint. Arms whose name is given by --arms only are run; SAT's teacher is the standard network
of the same seed. Writes training-SETTING.json and prints mean and spread over seeds. Costs are
seconds of this process on the processor, for the machine has other work to do.
"""

import argparse
import hashlib
import json
import os
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.provenance import ROOT, provenance
from bench.training_arms import ARMS, MINIATURE, SEEDS, SETTINGS, Setting
from models import registry
from models.data.dataset import DataSet, Split
from models.data.formats import load
from models.devices import choose
from models.examination.report import examine, numbers
from models.loading import Network
from models.training.assignment import Assignment
from models.training.draws import order
from models.training.loop import Run, Seen, Trained
from models.training.publication import Listing, publish

REACH = 1.5  # bounds that all steps of an attack go together
# SAT's schedule is told for 100 epochs; fewer of ours go through all of it, only faster.
SALIENT_BASE, SALIENT_EPOCHS = 0.6, 100
EVERY = 50  # steps between checkpoints
ORDER_KEY = 0xAFFD0000000000000000000000000014
DIGITS = f"digits:{ROOT / 'examples' / 'digits'}"


def main() -> None:
    """Train, examine, summarise, write."""
    chosen, console = _arguments(), Console()
    where = DIGITS if chosen.miniature else chosen.data
    data = load(where)
    known = chosen.setting or (data.name if data.name in SETTINGS else "cifar10")
    setting = MINIATURE if chosen.miniature else SETTINGS[known]
    setting = replace(setting, epochs=chosen.epochs or setting.epochs)
    test = shuffled(data.test)
    data = replace(data, test=test.first(setting.test or len(test)))
    experiment = Experiment(where, data, setting, chosen.into, choose(chosen.device), chosen.mixed)
    arms = chosen.arms or [name for name in setting.arms if experiment.possible(name)]
    seeds = SEEDS[: chosen.seeds]
    run = experiment.finished if chosen.finished else partial(experiment.run, console=console)
    units = run(arms, seeds)
    record = {**provenance(), "setting": asdict(setting), "data": data.digest, "units": units}
    path = chosen.into / f"training-{'miniature' if chosen.miniature else known}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    console.print(table(summary(units)))
    console.print(path)


def shuffled(split: Split) -> Split:
    """The split in an order of its own where it comes class by class; else as it is.

    For examinations take pictures from its beginning.
    """
    if (np.diff(split.labels) < 0).any():
        return split
    chosen = order(ORDER_KEY, 0, len(split))
    regions = None if split.regions is None else split.regions[chosen]
    return Split(split.pictures[chosen], split.labels[chosen], regions)


class Experiment:
    """One data set, all arms. Everything it finishes lies in `into`.

    Names its folder of models to the registry of this process, for teachers are found there.
    """

    def __init__(
        self, where: str, data: DataSet, setting: Setting, into: Path, device: str, mixed: bool
    ) -> None:
        self.where, self.data, self.setting, self.into = where, data, setting, into
        self.device, self.mixed, self.models = device, mixed, into / "models"
        self.models.mkdir(parents=True, exist_ok=True)
        os.environ["AFFIDAVIT_MODELS"] = str(self.models)

    def possible(self, name: str) -> bool:
        """Whether these data have what the arm needs: masks or boxes of training pictures."""
        regions = self.data.train.regions
        marked = regions is not None and bool(regions.any())
        return marked or ARMS[name].settings.get("source") != "annotation"

    def run(
        self, arms: Sequence[str], seeds: Sequence[str], console: Console
    ) -> list[dict[str, Any]]:
        """The units of these arms, in order, those known from before included."""
        needed = ["standard"] if any(ARMS[name].taught for name in arms) else []
        names = [*needed, *(name for name in arms if name not in needed)]
        units = []
        for seed in seeds:
            for name in names:
                units.append(self.unit(name, seed))
                console.print(name, seed[-2:], units[-1]["cost"], soft_wrap=True)
        return units

    def finished(self, arms: Sequence[str], seeds: Sequence[str]) -> list[dict[str, Any]]:
        """The units of these arms that are known from before, arm by arm."""
        pairs = [(name, seed) for name in arms for seed in seeds]
        taught = {seed: self._file("standard", seed).exists() for seed in seeds}
        known = [pair for pair in pairs if taught[pair[1]] or not ARMS[pair[0]].taught]
        files = [self._file(*pair) for pair in known]
        return [json.loads(file.read_text()) for file in files if file.exists()]

    def unit(self, name: str, seed: str) -> dict[str, Any]:
        """One arm with one seed, from --into if it is there: its settings are part of its name."""
        assignment, kept = self.assignment(name, seed), self._file(name, seed)
        if kept.exists():
            known: dict[str, Any] = json.loads(kept.read_text())
            return known
        trained, cost = self._trained(assignment, name, seed)
        began = time.process_time()
        card = publish(Listing(self.model(name, seed)), assignment, self.data, trained, self.models)
        registry.cards.cache_clear()
        made = examine(Network(card, self.device), self.data, self.setting.paper)
        unit = {
            "arm": name,
            "control": ARMS[name].control,
            "seed": seed,
            # Where the data lie is nobody's business.
            "assignment": asdict(assignment) | {"data": self.data.name},
            "history": trained.history,
            "cost": cost,
            "examining": time.process_time() - began,
            "examination": made,
        }
        beside = kept.with_suffix(".partial")
        beside.write_text(json.dumps(unit))
        beside.replace(kept)
        return unit

    def _file(self, name: str, seed: str) -> Path:
        assignment = self.assignment(name, seed)
        asked = json.dumps([assignment.digest(self.data.digest), asdict(self.setting.paper)])
        return self.into / f"{name}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"

    def _trained(self, assignment: Assignment, name: str, seed: str) -> tuple[Trained, float]:
        """What came out, and the seconds it took, those before an interruption included."""
        folder = self.into / f"{self.model(name, seed)}-run"
        run, paid = Run(assignment, self.data, folder, self.device), folder / "cost.json"
        before = json.loads(paid.read_text()) if paid.exists() else 0.0
        began = time.process_time()

        def report(seen: Seen) -> None:
            if seen.step % EVERY == 0:
                paid.write_text(json.dumps(before + time.process_time() - began))

        trained = run.train(report, EVERY)
        return trained, before + time.process_time() - began

    def assignment(self, name: str, seed: str) -> Assignment:
        """What the arm trains in this setting."""
        arm, asked, settings = ARMS[name], self.setting, dict(ARMS[name].settings)
        if arm.bounded:
            bound = arm.share * asked.bound
            settings |= {"bound": f"{bound:g}", "length": f"{REACH * bound / asked.steps:g}"}
            settings["steps"] = str(asked.steps)
        if arm.scheduled:
            settings["base"] = f"{SALIENT_BASE ** (SALIENT_EPOCHS / asked.epochs):g}"
        if arm.points and asked.points:
            settings["points"] = str(asked.points)
            settings["attack_points"] = str(asked.attack_points)
        if arm.taught:
            settings["teacher"] = self.model("standard", seed)
        return Assignment(
            arm.recipe,
            self.where,
            asked.architecture,
            asked.epochs,
            asked.batch,
            "adam",
            asked.rate,
            pad=asked.pad,
            flip=asked.flip,
            key=seed,
            mixed=self.mixed,
            take=asked.take,
            settings=settings,
        )

    def model(self, name: str, seed: str) -> str:
        """The name of the model that the arm makes with this seed."""
        return f"{self.data.name}-{name}-{seed[-2:]}"


def summary(units: Iterable[dict[str, Any]]) -> dict[str, dict[str, tuple[float, float]]]:
    """For each arm and measure the mean over seeds and the standard deviation, 0 for one seed."""
    seen: dict[str, dict[str, list[float]]] = {}
    for unit in units:
        arm = seen.setdefault(unit["arm"], {})
        for name, value in numbers(unit["examination"]):
            arm.setdefault(name, []).append(value)
        arm.setdefault("seconds to train", []).append(unit["cost"])
    return {
        arm: {
            name: (statistics.fmean(each), statistics.stdev(each) if len(each) > 1 else 0.0)
            for name, each in measures.items()
        }
        for arm, measures in seen.items()
    }


def table(found: Mapping[str, Mapping[str, tuple[float, float]]]) -> Table:
    """One row for each measure, one column for each arm."""
    made = Table("", *found)
    for name in next(iter(found.values()), {}):
        cells = [f"{mean:.3f} ± {spread:.3f}" for mean, spread in (f[name] for f in found.values())]
        made.add_row(name, *cells)
    return made


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=DIGITS, help="FORMAT:FOLDER (default: the digits)")
    parser.add_argument("--setting", choices=list(SETTINGS), help="default: that of the data")
    parser.add_argument("--arms", nargs="*", choices=list(ARMS), help="default: of the setting")
    parser.add_argument("--seeds", type=int, default=3, choices=(1, 2, 3))
    parser.add_argument("--finished", action="store_true", help="train no more: what is there")
    parser.add_argument("--epochs", type=int, default=0, help="default: of the setting")
    parser.add_argument("--into", type=Path, required=True, help="folder of finished units")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--mixed", action="store_true", help="bfloat16 where that is safe")
    parser.add_argument("--miniature", action="store_true", help="digits, two epochs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
