"""`affidavit train` and `affidavit evaluate`: networks of one's own, on the command line.

Both run here and now, in this process, and load torch only then.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.status import Status
from rich.table import Table

from models.data.dataset import BadData
from models.devices import choose
from models.registry import Card, card
from service.commands.complaints import Impossible, complaints

if TYPE_CHECKING:
    from models.training.assignment import Assignment
    from models.training.loop import Trained

said = Console()

Data = Annotated[
    str, typer.Option(help="FORMAT:FOLDER, e.g. digits:examples/digits or cifar10:data/cifar10.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Out = Annotated[Path, typer.Option(help="Folder for the files that are written.")]
Recipe = Annotated[str, typer.Argument(help="standard, noise, pgd, trades, sat, spat, …")]
Name = Annotated[str, typer.Option(help="Of the model that comes out, e.g. cifar10-trades.")]
Architecture = Annotated[
    str,
    typer.Option(help="tiny, slim, small, resnet10, resnet18, mobilenet-v2, efficientnet-lite0."),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A parameter of the recipe: bound=4.")
]
Epochs = Annotated[int, typer.Option(help="Passes over the training pictures.")]
Batch = Annotated[int, typer.Option(help="Pictures in a step.")]
Optimiser = Annotated[str, typer.Option(help="adam or sgd.")]
Rate = Annotated[float, typer.Option(help="Largest learning rate.")]
Decay = Annotated[float, typer.Option(help="Weight decay.")]
Schedule = Annotated[str, typer.Option(help="Of the rate: cosine, drops, constant.")]
Pad = Annotated[int, typer.Option(help="Pixels that pictures may move each way.")]
Flip = Annotated[bool, typer.Option("--flip", help="Left may become right.")]
Key = Annotated[str, typer.Option(help="Of all that is random, 32 hexadecimal digits.")]
Take = Annotated[int, typer.Option(help="Only the first so many pictures; 0 for all.")]
Mixed = Annotated[bool, typer.Option("--mixed", help="Compute in bfloat16 where that is safe.")]
Every = Annotated[int, typer.Option(help="Steps between checkpoints; 0: each epoch.")]
Licence = Annotated[str, typer.Option(help="Of the weights, for the card.")]
Model = Annotated[str, typer.Argument(help="One of the names that `affidavit models` lists.")]
Against = Annotated[str | None, typer.Option(help="Another model, beside it.")]
Clean = Annotated[int, typer.Option(help="Test pictures for accuracy; 0 for all.")]
Attacked = Annotated[int, typer.Option(help="Pictures for PGD; 0 leaves it out.")]
Auto = Annotated[int, typer.Option(help="Pictures for AutoAttack; 0 leaves it out.")]
Explained = Annotated[int, typer.Option(help="Pictures whose maps are attacked.")]
Certified = Annotated[int, typer.Option(help="Pictures that are certified.")]
Samples = Annotated[int, typer.Option(help="Noisy pictures in a certificate.")]
Scale = Annotated[float, typer.Option(help="Of the certificates' noise; 0: the card's.")]
Bound = Annotated[float, typer.Option(help="Size of attacks, ℓ∞ grey levels.")]
Steps = Annotated[int, typer.Option(help="Of each attack.")]
Restarts = Annotated[int, typer.Option(help="Of each attack; the worst end counts.")]
Plots = Annotated[
    bool, typer.Option("--plots", help="Draw it, too; PGD then tries smaller bounds as well.")
]


def train(
    recipe: Recipe,
    data: Data,
    name: Name,
    architecture: Architecture = "small",
    settings: Settings = None,
    epochs: Epochs = 30,
    batch: Batch = 128,
    optimiser: Optimiser = "adam",
    rate: Rate = 1e-3,
    weight_decay: Decay = 5e-4,
    schedule: Schedule = "cosine",
    pad: Pad = 0,
    flip: Flip = False,
    key: Key = "affd0000000000000000000000000007",
    take: Take = 0,
    mixed: Mixed = False,
    every: Every = 0,
    licence: Licence = "not stated",
    device: Device = "auto",
    out: Out = Path("trained"),
) -> None:
    """Train a network whose explanations hold, and write the card that serves it.

    Example: affidavit train noise --data digits:examples/digits --name mine --architecture tiny

    Writes NAME.toml, NAME.safetensors and NAME-classes.txt. Interrupt it as you like: the same line
    goes on where it stopped, and ends with the same weights. Then serve what came out:
    AFFIDAVIT_MODELS=trained affidavit serve. The recipes are told in docs/training.md.
    """
    options = dict(locals())
    with complaints(), _asked():
        made = _trained(options)
        said.print(f"[bold]{made.name}[/bold]: {made.accuracy}", soft_wrap=True)
        serve = f"serve it: AFFIDAVIT_MODELS={out} affidavit serve"
        said.print(f"{out / made.name}.toml  {serve}", soft_wrap=True)


def evaluate(
    model: Model,
    data: Data,
    against: Against = None,
    clean: Clean = 0,
    attacked: Attacked = 500,
    autoattack: Auto = 0,
    explained: Explained = 32,
    certified: Certified = 16,
    samples: Samples = 1000,
    scale: Scale = 0.0,
    bound: Bound = 8.0,
    steps: Steps = 20,
    restarts: Restarts = 2,
    plots: Plots = False,
    device: Device = "auto",
    out: Out = Path("out"),
) -> None:
    """Measure what a network's predictions and explanations withstand.

    Example: affidavit evaluate digits-tiny --data digits:examples/digits --explained 4

    Accuracy, PGD and AutoAttack; the three attacks of Ghorbani et al. on the gradient and
    integrated gradients; certified radius and overlap. Writes evaluation.json, with --plots also
    evaluation.png: accuracy attacked and certified, overlap, attacked maps, of both models.
    """
    options = dict(locals())
    with complaints(), _asked():
        names = [model, *([against] if against else [])]
        made = _examined([card(name) for name in names], options)
        said.print(_table(made))
        out.mkdir(parents=True, exist_ok=True)
        path = out / "evaluation.json"
        path.write_text(json.dumps({"examinations": made}, indent=1) + "\n", encoding="utf-8")
        said.print(path, highlight=False)
        if plots:
            said.print(_drawn(made, out / "evaluation.png"), highlight=False)


@contextmanager
def _asked() -> Iterator[None]:
    """What cannot be trained or measured, as words for whoever asked."""
    from models.attribution.twins import Unsupported
    from models.examination.predictions import NoAutoAttack
    from models.examination.report import Unexaminable
    from models.training.assignment import Unwanted
    from models.training.checkpoint import BadCheckpoint
    from models.training.lesson import Lacking
    from models.training.loop import Diverged

    refused = (BadData, Unwanted, BadCheckpoint, Lacking, Unsupported, Unexaminable, NoAutoAttack)
    try:
        yield
    except (*refused, Diverged) as error:
        raise Impossible(str(error)) from error


def _trained(options: dict[str, Any]) -> Card:
    from models.data.formats import load
    from models.training.assignment import Assignment
    from models.training.publication import Listing, publish

    own = {name: options[name] for name in Assignment.__dataclass_fields__ if name != "settings"}
    assignment = Assignment(**own, settings=_settings(options["settings"] or ()))
    listing = Listing(options["name"], licence=options["licence"])
    data, out = load(assignment.data), options["out"]
    trained = _run(assignment, data, options)
    return publish(listing, assignment, data, trained, out)


def _settings(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise Impossible(f"--set is {text!r}; it must be name=value, like bound=4")
        pairs[name] = value
    return pairs


def _run(assignment: "Assignment", data: Any, options: dict[str, Any]) -> "Trained":
    from models.training.loop import Run, Seen

    run = Run(
        assignment, data, options["out"] / f"{options['name']}-run", choose(options["device"])
    )
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=said, transient=True) as progress:
        task = progress.add_task("begins", total=run.steps)

        def report(seen: Seen) -> None:
            means = ", ".join(f"{name} {value:.3f}" for name, value in seen.means.items())
            text = f"epoch {seen.epoch + 1}/{seen.epochs}: {means}"
            progress.update(task, completed=seen.step, description=text)

        return run.train(report, options["every"])


def _examined(known: Sequence[Card], options: dict[str, Any]) -> list[dict[str, Any]]:
    from models.attacks.plain import Strength
    from models.data.formats import load
    from models.examination.predictions import Pgd
    from models.examination.report import Paper, examine
    from models.loading import Network

    bound, steps, restarts = options["bound"], options["steps"], options["restarts"]
    if min(steps, restarts) < 1:
        raise Impossible(f"steps {steps} and restarts {restarts} must be at least 1")
    parts = ("clean", "attacked", "autoattack", "explained", "certified", "samples", "scale")
    paper = Paper(
        **{name: options[name] for name in parts},
        pgd=Pgd(bound, bound / 4, steps, restarts),
        strength=Strength(steps=steps, restarts=restarts),
        curve=options["plots"],
    )
    data, device, made = load(options["data"]), choose(options["device"]), []
    with said.status("looking") as status:
        for each in known:
            begun = partial(_begun, status, each.name)
            made.append(examine(Network(each, device), data, paper, begun))
    return made


def _begun(status: Status, model: str, part: str) -> None:
    status.update(f"{model}: {part}")


def _drawn(made: Sequence[dict[str, Any]], path: Path) -> Path:
    from service.drawing.evaluation_picture import Unmeasured, picture

    try:
        picture(made).savefig(path, dpi=150)
    except Unmeasured as error:
        raise Impossible(str(error)) from error
    return path


def _table(made: Sequence[dict[str, Any]]) -> Table:
    """One row for each measure, one column for each model, and the difference of two."""
    from models.examination.report import numbers

    table = Table("", *(each["model"] for each in made))
    if len(made) > 1:
        table.add_column("difference")
    columns = [dict(numbers(each)) for each in made]
    for name, first in columns[0].items():
        values = [first, *(column[name] for column in columns[1:])]
        shown = [f"{value:.3f}" for value in values]
        change = [f"{values[0] - values[1]:+.3f}"] if len(values) > 1 else []
        table.add_row(name, *shown, *change)
    return table
