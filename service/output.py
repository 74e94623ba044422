"""What the command line and the demo put on the screen and into files."""

import base64
import shlex
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Table

from certify.document import dumps
from certify.reading import loads
from certify.wording import exactly
from service.problems import Problem
from service.results import (
    CertifyAnswer,
    EstimateAnswer,
    ExplainAnswer,
    ModelList,
    Progress,
    Ranked,
)
from service.sources import Answers

PLAIN_STEPS = 10


async def follow(steps: Answers, console: Console) -> CertifyAnswer:
    """Show progress, a bar on a terminal and plain lines elsewhere, until the certificate comes."""
    answer: CertifyAnswer | None = None
    with _bar(console) as bar:
        show = _moving(bar) if console.is_terminal else _lines(console)
        async with aclosing(steps):
            async for step in steps:
                if isinstance(step, CertifyAnswer):
                    answer = step
                else:
                    show(step)
    if answer is None:
        raise EOFError("the answer ended before the certificate came")
    return answer


def _bar(console: Console) -> Bar:
    return Bar(
        TextColumn("sampling noise"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[proven]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _moving(bar: Bar) -> Callable[[Progress], None]:
    task = bar.add_task("", total=None, proven="")

    def show(step: Progress) -> None:
        bar.update(task, completed=step.samples, total=step.total, proven=_proven(step))

    return show


def _lines(console: Console) -> Callable[[Progress], None]:
    said = 0

    def show(step: Progress) -> None:
        nonlocal said
        if step.samples * PLAIN_STEPS // step.total > said:
            said = step.samples * PLAIN_STEPS // step.total
            tail = f", {_proven(step)}" if _proven(step) else ""
            line = f"  {step.samples}/{step.total} samples, {step.seconds:.0f} s{tail}"
            console.print(line, highlight=False, soft_wrap=True)

    return show


def _proven(step: Progress) -> str:
    """What is proven so far, if anything is."""
    if not step.at_least or not step.radius:
        return ""
    return f"already proven: at least {step.at_least} stay within {exactly(step.radius)}"


def print_prediction(console: Console, ranked: list[Ranked], explained: str) -> None:
    """The most probable classes, and which one is explained."""
    table = Table("class", "probability", box=None, padding=(0, 2))
    for each in ranked:
        mark = " (explained)" if each.label == explained else ""
        table.add_row(each.label + mark, f"{each.probability:.1%}")
    console.print(table)


def print_words(console: Console, words: list[str]) -> None:
    """A certificate in words."""
    for line in words:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def print_estimate(console: Console, found: EstimateAnswer) -> None:
    """What is feasible and what it would cost."""
    lines = list(found.advice)
    if found.seconds is not None:
        lines.append(f"All {found.samples} samples take about {found.seconds:g} s.")
    print_words(console, lines)


def print_files(console: Console, files: dict[str, Path]) -> None:
    """Where each file is."""
    for says, path in files.items():
        console.print(f"  {path}  {says}", highlight=False, markup=False, soft_wrap=True)


def print_models(console: Console, found: ModelList) -> None:
    """One line for each model."""
    table = Table("name", "size", "classes", "what it is", box=None, padding=(0, 2))
    for each in found.models:
        table.add_row(each.name, str(each.size), str(each.classes), each.summary)
    console.print(table)


def print_problem(console: Console, problem: Problem) -> None:
    """What was refused, and what to do about it."""
    console.print(f"{problem.title}.", style="bold red", highlight=False, markup=False)
    for fault in problem.errors:
        line = f"  {fault.field} is {fault.value or 'empty'}: {fault.rule}; {fault.advice}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if not problem.errors:
        console.print(f"  {problem.detail}", highlight=False, markup=False)


def show_certificate(console: Console, answer: CertifyAnswer, out: Path) -> None:
    """Say what was predicted and proven, write the files, say which."""
    print_prediction(console, answer.prediction, answer.label)
    print_words(console, answer.summary)
    print_files(console, write_certificate(answer, out))


def write_certificate(answer: CertifyAnswer, out: Path) -> dict[str, Path]:
    """Write pictures, document and arrays into the folder `out`; what each is, and where."""
    out.mkdir(parents=True, exist_ok=True)
    document = dumps(answer.certificate)
    read = loads(document)
    grid = (read.plan.rows, read.plan.columns)
    np.save(
        out / "map.npy", read.plan.shares(read.evidence.counts, read.evidence.samples).reshape(grid)
    )
    np.save(out / "radii.npy", np.reshape(read.stated["feature_radii"], grid))
    (out / "certificate.json").write_bytes(document)
    files = {
        "the certificate; verify it with affidavit verify": out / "certificate.json",
        "the map: how often each region was among the most important": out / "map.npy",
        "for each region, the radius within which its label cannot change": out / "radii.npy",
    }
    if answer.pictures is None:
        return files
    _write_picture(out / "overlay.png", answer.pictures.overlay)
    _write_picture(out / "regions.png", answer.pictures.regions)
    pictures = {
        "the map over the photograph": out / "overlay.png",
        "the certified regions": out / "regions.png",
    }
    return pictures | files


def write_explanation(answer: ExplainAnswer, out: Path) -> dict[str, Path]:
    """Write overlay, map and all numbers into the folder `out`; what each is, and where."""
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "map.npy", np.array(answer.map))
    (out / "explanation.json").write_text(answer.model_dump_json(exclude={"overlay"}) + "\n")
    files = {"the map": out / "map.npy", "all numbers": out / "explanation.json"}
    if answer.overlay is not None:
        _write_picture(out / "overlay.png", answer.overlay)
        files = {"the map over the photograph": out / "overlay.png"} | files
    return files


def _write_picture(path: Path, text: str) -> None:
    path.write_bytes(base64.b64decode(text, validate=True))


def curl_line(url: str, photo: Path, model: str) -> str:
    """A command that sends `photo` to the server at `url` and keeps the certified regions."""
    parts = ("curl", "-H", "Accept: image/png", "-o", "regions.png", "-F", f"image=@{photo}")
    return shlex.join((*parts, "-F", f"model={model}", f"{url}/v1/certify"))
