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
from service.complaints import Impossible, complaints

if TYPE_CHECKING:
    from models.training.assignment import Assignment
    from models.training.loop import Trained

said = Console()

Data = Annotated[
    str, typer.Option(help="FORMAT:FOLDER, e.g. digits:examples/digits or cifar10:data/cifar10.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Out = Annotated[Path, typer.Option(help="Folder for the files that are written.")]


def train(
    recipe: Annotated[str, typer.Argument(help="standard, noise, pgd, trades, sat, spat, …")],
    data: Data,
    name: Annotated[str, typer.Option(help="Of the model that comes out, e.g. cifar10-trades.")],
    architecture: Annotated[
        str, typer.Option(help="tiny, small, resnet10, resnet18, mobilenet-v2, efficientnet-lite0.")
    ] = "small",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter of the recipe: bound=4.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training pictures.")] = 30,
    batch: Annotated[int, typer.Option(help="Pictures in a step.")] = 128,
    optimiser: Annotated[str, typer.Option(help="adam or sgd.")] = "adam",
    rate: Annotated[float, typer.Option(help="Largest learning rate.")] = 1e-3,
    weight_decay: Annotated[float, typer.Option(help="Weight decay.")] = 5e-4,
    schedule: Annotated[str, typer.Option(help="Of the rate: cosine, drops, constant.")] = "cosine",
    pad: Annotated[int, typer.Option(help="Pixels that pictures may move each way.")] = 0,
    flip: Annotated[bool, typer.Option("--flip", help="Left may become right.")] = False,
    key: Annotated[
        str, typer.Option(help="Of all that is random, 32 hexadecimal digits.")
    ] = "affd0000000000000000000000000007",
    take: Annotated[int, typer.Option(help="Only the first so many pictures; 0 for all.")] = 0,
    mixed: Annotated[bool, typer.Option("--mixed", help="Mixed precision; CUDA only.")] = False,
    every: Annotated[int, typer.Option(help="Steps between checkpoints; 0: each epoch.")] = 0,
    licence: Annotated[str, typer.Option(help="Of the weights, for the card.")] = "not stated",
    device: Device = "auto",
    out: Out = Path("trained"),
) -> None:
    """Train a network whose explanations hold, and write the card that serves it.

    Example: affidavit train pgd --data digits:examples/digits --name digits-pgd
    --architecture tiny --set bound=32 --set length=8

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
    model: Annotated[str, typer.Argument(help="One of the names that `affidavit models` lists.")],
    data: Data,
    against: Annotated[str | None, typer.Option(help="Another model, beside it.")] = None,
    clean: Annotated[int, typer.Option(help="Test pictures for accuracy; 0 for all.")] = 0,
    attacked: Annotated[int, typer.Option(help="Pictures for PGD; 0 leaves it out.")] = 500,
    autoattack: Annotated[int, typer.Option(help="Pictures for AutoAttack; 0: none.")] = 0,
    explained: Annotated[int, typer.Option(help="Pictures whose maps are attacked.")] = 32,
    certified: Annotated[int, typer.Option(help="Pictures that are certified.")] = 16,
    samples: Annotated[int, typer.Option(help="Noisy pictures in a certificate.")] = 1000,
    scale: Annotated[float, typer.Option(help="Of the certificates' noise; 0: the card's.")] = 0.0,
    bound: Annotated[float, typer.Option(help="Size of attacks, ℓ∞ grey levels.")] = 8.0,
    steps: Annotated[int, typer.Option(help="Of each attack.")] = 20,
    restarts: Annotated[int, typer.Option(help="Of each attack; the worst end counts.")] = 2,
    device: Device = "auto",
    out: Out = Path("out"),
) -> None:
    """Measure what a network's predictions and explanations withstand.

    Example: affidavit evaluate digits-tiny --data digits:examples/digits --explained 4
    --certified 4 --steps 10

    Accuracy, PGD and AutoAttack; the three attacks of Ghorbani et al. on the gradient and
    integrated gradients; certified radius and overlap. Writes evaluation.json.
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
    if min(bound, steps, restarts) < 1:
        raise Impossible(f"bound {bound}, steps {steps} and restarts {restarts} must be at least 1")
    parts = ("clean", "attacked", "autoattack", "explained", "certified", "samples", "scale")
    paper = Paper(
        **{name: options[name] for name in parts},
        pgd=Pgd(bound, bound / 4, steps, restarts),
        strength=Strength(steps=steps, restarts=restarts),
    )
    data, device, made = load(options["data"]), choose(options["device"]), []
    with said.status("looking") as status:
        for each in known:
            begun = partial(_begun, status, each.name)
            made.append(examine(Network(each, device), data, paper, begun))
    return made


def _begun(status: Status, model: str, part: str) -> None:
    status.update(f"{model}: {part}")


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
