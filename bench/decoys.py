"""DANCE beside its controls at equal numbers of maps: is it the decoys, the range or the noise?

    python -m bench.decoys                measures what is not measured yet, then writes the page
    python -m bench.decoys --page-only    writes docs/comparison.md from docs/bench/decoys.json

A unit is one picture with one setting and one base map; each finished unit is kept in --into, with
the commit that measured it, so that a run may be cut. Half an hour of one core, most of it for the
photographs.
"""

import argparse
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

from bench.decoys_compared import TOP, Setting, Unit
from bench.decoys_comparison import NUMBERS, PAGE, page
from bench.photographs import photographs
from bench.provenance import ROOT, provenance
from models.attacks.plain import Strength
from models.loading import Network
from models.registry import card
from service.pool.allocator import keep_memory

PHOTOGRAPHS = Setting(
    name="efficientnet-lite0",
    model="efficientnet-lite0",
    layer="blocks.0",  # 18 decoys; one block later it would be 50
    patch=3,
    photographs="examples/photos",
    bases=("gradient",),
    adaptive=False,
    bound=4,
    blur=5.0,
    strength=Strength(steps=6, length=1.0, restarts=2),
)
SETTINGS = (
    Setting(
        name="digits-tiny",
        model="digits-tiny",
        layer="features.6",
        patch=3,
        photographs="tests/data/digits",
        bases=("gradient", "smoothgrad", "integrated_gradients"),
        adaptive=True,
        bound=8,
        blur=2.0,
        strength=Strength(steps=20, length=1.0, restarts=2),
    ),
    PHOTOGRAPHS,
    # As few decoys as can hold every pixel in both directions, at the layer of the card: patches
    # one pixel smaller than its field, as inside certificates. So maps can be attacked themselves,
    # for minutes of a core each; further bases and pictures are a matter of naming them.
    replace(
        PHOTOGRAPHS,
        name="efficientnet-lite0, 8 decoys",
        layer="blocks.1",
        patch=10,
        bases=("gradient", "smoothgrad", "integrated_gradients"),
        adaptive=True,
        strength=Strength(steps=4, length=1.0, restarts=1),
        pictures=("astronaut",),
    ),
)


def main() -> None:
    """Measure unless told not to, then write the page."""
    chosen, console = _arguments(), Console()
    keep_memory()
    torch.set_num_threads(1)
    if not chosen.page_only:
        units = measured(chosen.into, chosen.settings, console)
        settings = [asdict(s) for s in SETTINGS if s.name in chosen.settings]
        record = {**provenance(), "top": TOP, "settings": settings, "units": units}
        NUMBERS.write_text(json.dumps(record, indent=1) + "\n")
    PAGE.write_text(page(json.loads(NUMBERS.read_text())))
    console.print(f"wrote {PAGE.relative_to(ROOT)}")


def measured(into: Path, names: list[str], console: Console) -> list[dict[str, Any]]:
    """Every unit: read where it is kept, measured and kept where not."""
    into.mkdir(parents=True, exist_ok=True)
    units = []
    with Progress(console=console) as progress:
        for setting in (s for s in SETTINGS if s.name in names):
            network = Network(card(setting.model))
            files = chosen_files(setting)
            task = progress.add_task(setting.name, total=len(setting.bases) * len(files))
            for base in setting.bases:
                for number, file in files:
                    units.append(_kept(into, Unit(setting, network, base, file, number)))
                    progress.advance(task)
    return units


def chosen_files(setting: Setting) -> list[tuple[int, Path]]:
    """The setting's pictures, each with its number in the folder."""
    files = photographs(ROOT / setting.photographs)
    wanted = setting.pictures or tuple(file.stem for file in files)
    return [(number, file) for number, file in enumerate(files) if file.stem in wanted]


def _kept(into: Path, unit: Unit) -> dict[str, Any]:
    setting = replace(unit.setting, bases=(), pictures=())
    name = f"{digest_of(setting)}-{unit.base}-{unit.name}.json"
    path = into / name
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({**unit.measured(), "commit": provenance()["commit"]}))
        partial.rename(path)
    result: dict[str, Any] = json.loads(path.read_text())
    return result


def digest_of(setting: Setting) -> str:
    """A short name of a setting, so that what other settings measured is not taken for its own."""
    return hashlib.sha256(json.dumps(asdict(setting)).encode()).hexdigest()[:16]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--page-only", action="store_true")
    names = [setting.name for setting in SETTINGS]
    parser.add_argument("--settings", nargs="+", choices=names, default=names)
    parser.add_argument("--into", type=Path, default=ROOT / "out" / "decoys")
    return parser.parse_args()


if __name__ == "__main__":
    main()
