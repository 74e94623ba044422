"""Which training raises what can be certified of an explanation, and at what cost?

    python -m bench.training --data fashion-mnist:FOLDER --into out/training
    python -m bench.training --data cifar10:FOLDER --into out/training --device cuda --mixed
    python -m bench.training --miniature --into out/miniature          digits, a minute

Trains every arm with its controls for each seed, examines what came out, and keeps each finished
unit in --into, so that the run may be cut anywhere: within a training it goes on from its last
checkpoint. Arms whose name is given by --arms only are run; SAT's teacher is the standard network
of the same seed. Writes training-DATA.json and prints mean and spread over seeds.
"""

import argparse
import hashlib
import json
import os
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.provenance import ROOT, provenance
from models import registry
from models.attacks.plain import Strength
from models.data.dataset import DataSet
from models.data.formats import load
from models.devices import choose
from models.examination.predictions import Pgd
from models.examination.report import Paper, examine, numbers
from models.loading import Network
from models.training.assignment import Assignment
from models.training.loop import Run
from models.training.publication import Listing, publish

SEEDS = (
    "affd0000000000000000000000000011",
    "affd0000000000000000000000000012",
    "affd0000000000000000000000000013",
)


@dataclass(frozen=True)
class Arm:
    """One recipe with its settings. control: the arm it must be compared with.

    half: whether the bound is half of the others', as for the control of SPAT. taught: whether it
    needs the standard network as its teacher. bounded: whether it has a bound at all.
    """

    recipe: str
    control: str = "standard"
    settings: Mapping[str, str] = field(default_factory=dict)
    half: bool = False
    taught: bool = False
    bounded: bool = True


TEACHING = {"source": "guided_backprop"}
ARMS: Mapping[str, Arm] = {
    "standard": Arm("standard", bounded=False),
    "noise": Arm("noise", bounded=False),
    "pgd": Arm("pgd"),
    "pgd-half": Arm("pgd", control="pgd", half=True),
    "trades": Arm("trades", control="pgd"),
    "sat-noise": Arm("sat-noise"),
    "sat-masks": Arm("sat", control="sat-noise"),
    "sat-guided": Arm("sat", control="sat-noise", settings=TEACHING, taught=True),
    "sat-smoothgrad": Arm("sat", "sat-noise", {"source": "smoothgrad"}, taught=True),
    "sat-pgd": Arm("sat-pgd", control="pgd", settings=TEACHING, taught=True),
    "sat-trades": Arm("sat-trades", control="trades", settings=TEACHING, taught=True),
    "spat": Arm("spat", control="pgd-half"),
    "spat-trades": Arm("spat-trades", control="trades"),
    "ig-norm": Arm("ig-norm", control="pgd"),
    "ig-sum-norm": Arm("ig-sum-norm", control="pgd"),
    "cacr-wacr": Arm("cacr-wacr", control="ig-sum-norm"),
    "art": Arm("art", control="pgd"),
}


@dataclass(frozen=True)
class Setting:
    """How every arm of one data set is trained and examined. bound: ℓ∞ grey levels."""

    architecture: str
    epochs: int
    bound: float
    steps: int
    batch: int = 128
    pad: int = 0
    flip: bool = False
    rate: float = 1e-3
    paper: Paper = field(default_factory=Paper)


# ε and its steps as in RAR's configurations for Fashion-MNIST, as is usual for CIFAR.
SETTINGS: Mapping[str, Setting] = {
    "fashion-mnist": Setting("small", 30, 25.5, 7, paper=Paper(attacked=1000, explained=100)),
    "cifar10": Setting(
        "resnet18", 50, 8.0, 7, pad=4, flip=True, paper=Paper(attacked=1000, explained=100)
    ),
    "cifar100": Setting("resnet18", 50, 8.0, 7, pad=4, flip=True),
    "gtsrb": Setting("small", 30, 8.0, 7, pad=2),
    "flower17": Setting("resnet10", 60, 8.0, 7, batch=32, pad=8, flip=True),
    "tiny-imagenet": Setting("resnet18", 50, 8.0, 7, pad=4, flip=True),
    "digits": Setting("tiny", 20, 16.0, 5, batch=64, rate=1e-2),
}
MINIATURE = Setting(
    "tiny",
    2,
    16.0,
    2,
    batch=64,
    rate=1e-2,
    paper=Paper(
        attacked=20,
        explained=2,
        certified=1,
        samples=100,
        pgd=Pgd(16, 4, 2, 1),
        strength=Strength(steps=2, restarts=1),
    ),
)
DIGITS = f"digits:{ROOT / 'examples' / 'digits'}"


def main() -> None:
    """Train, examine, summarise, write."""
    chosen, console = _arguments(), Console()
    where = DIGITS if chosen.miniature else chosen.data
    data = load(where)
    setting = MINIATURE if chosen.miniature else SETTINGS.get(data.name, SETTINGS["cifar10"])
    setting = replace(setting, epochs=chosen.epochs or setting.epochs)
    experiment = Experiment(where, data, setting, chosen.into, choose(chosen.device), chosen.mixed)
    arms = chosen.arms or [name for name in ARMS if experiment.possible(name)]
    units = experiment.run(arms, SEEDS[: chosen.seeds], console)
    record = {**provenance(), "setting": asdict(setting), "data": data.digest, "units": units}
    path = chosen.into / f"training-{data.name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    console.print(table(summary(units)))
    console.print(path)


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
        return name != "sat-masks" or (regions is not None and bool(regions.any()))

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
                console.print(f"{name} {seed[-2:]}", units[-1]["seconds"], soft_wrap=True)
        return units

    def unit(self, name: str, seed: str) -> dict[str, Any]:
        """One arm with one seed, from --into if it is there: its settings are part of its name."""
        assignment = self.assignment(name, seed)
        asked = json.dumps([assignment.digest(self.data.digest), asdict(self.setting.paper)])
        kept = self.into / f"{name}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"
        if kept.exists():
            known: dict[str, Any] = json.loads(kept.read_text())
            return known
        began, model = time.monotonic(), self.model(name, seed)
        run = Run(assignment, self.data, self.into / f"{model}-run", self.device)
        trained = run.train(every=200)
        seconds = time.monotonic() - began
        card = publish(Listing(model), assignment, self.data, trained, self.models)
        registry.cards.cache_clear()
        made = examine(Network(card, self.device), self.data, self.setting.paper)
        unit = {
            "arm": name,
            "control": ARMS[name].control,
            "seed": seed,
            "assignment": asdict(assignment),
            "history": trained.history,
            "seconds": seconds,
            "examination": made,
        }
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps(unit))
        partial.replace(kept)
        return unit

    def assignment(self, name: str, seed: str) -> Assignment:
        """What the arm trains in this setting."""
        arm, asked, settings = ARMS[name], self.setting, dict(ARMS[name].settings)
        if arm.bounded:
            bound = asked.bound / 2 if arm.half else asked.bound
            settings |= {"bound": f"{bound:g}", "length": f"{bound / 4:g}"}
            settings["steps"] = str(asked.steps)
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
        arm.setdefault("seconds to train", []).append(unit["seconds"])
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
    parser.add_argument("--arms", nargs="*", choices=list(ARMS), help="default: all possible")
    parser.add_argument("--seeds", type=int, default=3, choices=(1, 2, 3))
    parser.add_argument("--epochs", type=int, default=0, help="default: of the setting")
    parser.add_argument("--into", type=Path, required=True, help="folder of finished units")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--mixed", action="store_true", help="mixed precision; CUDA only")
    parser.add_argument("--miniature", action="store_true", help="digits, two epochs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
