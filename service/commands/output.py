"""What the command line and the demo put on the screen and into files."""

import base64
import shlex
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from certify.document import dumps
from certify.reading import loads
from service.decoys import output as decoy_output
from service.problems import Problem
from service.results import (
    CertifyAnswer,
    EstimateAnswer,
    ExplainAnswer,
    ModelList,
    Ranked,
)


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
    told = answer.model_dump_json(exclude={"overlay": True, "decoys": {"pictures"}})
    (out / "explanation.json").write_text(told + "\n")
    files = {"the map": out / "map.npy", "all numbers": out / "explanation.json"}
    if answer.overlay is not None:
        _write_picture(out / "overlay.png", answer.overlay)
        files = {"the map over the photograph": out / "overlay.png"} | files
    return files | (decoy_output.write_pictures(answer.decoys, out) if answer.decoys else {})


def _write_picture(path: Path, text: str) -> None:
    path.write_bytes(base64.b64decode(text, validate=True))


def curl_line(url: str, photo: Path, model: str) -> str:
    """A command that sends `photo` to the server at `url` and keeps the certified regions."""
    parts = ("curl", "-H", "Accept: image/png", "-o", "regions.png", "-F", f"image=@{photo}")
    return shlex.join((*parts, "-F", f"model={model}", f"{url}/v1/certify"))
