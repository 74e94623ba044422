"""How near our sampling comes to the bare network, and to others: docs/throughput.md.

    python -m bench.throughput --into FOLDER   measures what FOLDER lacks, writes numbers and page
    python -m bench.throughput --into FOLDER --brief   a third of it, for a machine that is busy
    python -m bench.throughput --into FOLDER --no-measuring    from what is there
    python -m bench.throughput --page-only     the page from the numbers

Each network is measured in a process of its own, its arms in turns, one thread, in the processor's
time: others share the machine. What is finished is kept in FOLDER, so that a run may be cut. Takes
about a quarter of an hour of one core.
"""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.provenance import ROOT, provenance
from bench.throughput_page import page
from models.native import matrices
from models.native.compiling import WIDE, usual

NUMBERS, PAGE = ROOT / "docs" / "bench" / "throughput.json", ROOT / "docs" / "throughput.md"
MAIN, SMALL = "efficientnet-lite0", "small-32"
ROUNDS = {MAIN: 5, SMALL: 7, "mobilenet-v2": 3, "resnet50": 2}
FEW_ROUNDS = 3
BEST_BATCH = 16
# Network, way, samples, batch of Captum; all at once of a large network takes tens of GiB at 512.
MEMORY = (
    (MAIN, "draw", 64, 0),
    (MAIN, "draw", 512, 0),
    (MAIN, "draw", 2048, 0),
    (MAIN, "captum", 64, BEST_BATCH),
    (MAIN, "captum", 64, 0),
    (SMALL, "draw", 64, 0),
    (SMALL, "draw", 512, 0),
    (SMALL, "captum", 64, 0),
    (SMALL, "captum", 512, 0),
)


def main() -> None:
    """Measure, write."""
    chosen, console = _arguments(), Console()
    if not chosen.page_only:
        chosen.into.mkdir(parents=True, exist_ok=True)
        found = measured(chosen.into, console, not chosen.no_measuring, chosen.brief)
        keep(found, NUMBERS)
    PAGE.write_text(page(json.loads(NUMBERS.read_text()), elsewhere(NUMBERS)))
    console.print(f"wrote {PAGE.relative_to(ROOT)}")


def keep(record: dict[str, Any], numbers: Path) -> None:
    """Write the record. The last one stays beside it if its processor had other instructions, in
    place of the last one of those."""
    if numbers.exists():
        before = json.loads(numbers.read_text())
        _beside(numbers, before).write_text(_text(before))
    _beside(numbers, record).unlink(missing_ok=True)
    numbers.write_text(_text(record))


def elsewhere(numbers: Path) -> list[dict[str, Any]]:
    """The records of processors with other instructions."""
    known = sorted(numbers.parent.glob(f"{numbers.stem}-on-*.json"))
    return [json.loads(each.read_text()) for each in known]


def _beside(numbers: Path, record: dict[str, Any]) -> Path:
    return numbers.with_stem(f"{numbers.stem}-on-{record['instructions'].lower()}")


def instructions() -> str:
    """What native code makes use of here."""
    if matrices.available():
        return "AMX"
    if usual() == WIDE:
        return "AVX-512"
    return "NEON" if platform.machine() in ("aarch64", "arm64") else "AVX2"


def measured(into: Path, console: Console, missing: bool, brief: bool) -> dict[str, Any]:
    """Everything, each part from the folder where it is there; `missing`: else measured now.

    brief: without what takes long or many GiB.
    """

    def part(words: Sequence[str]) -> dict[str, Any] | None:
        return _kept(into, (*words, *(["--brief"] if brief else [])), console, missing)

    few = ("--rounds", str(FEW_ROUNDS))
    memory = [
        ("memory", name, "--way", way, "--samples", str(samples), "--batch", str(batch))
        for name, way, samples, batch in MEMORY
        if not brief or batch or (name, way) != (MAIN, "captum")
    ]
    main, *others = [("race", name, "--rounds", str(n)) for name, n in ROUNDS.items()]
    # What matters most comes first, for a run that is cut.
    first = part(main)
    plain = part(("race", MAIN, *few, "--allocator", "default"))
    held = [part(words) for words in memory]
    rest = [part(words) for words in others]
    graph = part(("compiled", MAIN, *few))
    return {
        **provenance(),
        "instructions": instructions(),
        "networks": [each for each in (first, *rest) if each],
        "default_allocator": plain,
        "compiled": graph,
        "memory": [each for each in held if each],
    }


def _kept(
    into: Path, words: Sequence[str], console: Console, missing: bool
) -> dict[str, Any] | None:
    """What a child of these words says, asked once; None where it may not be asked."""
    file = into / f"{'-'.join(word.strip('-') for word in words)}.json"
    if not file.exists():
        if not missing:
            return None
        console.print(" ".join(words))
        command = [sys.executable, "-m", "bench.throughput_child", *words, "--into", str(into)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        file.write_text(done.stdout.splitlines()[-1])
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _text(record: dict[str, Any]) -> str:
    """The record as JSON, one arm a line."""
    spread = json.dumps(record, ensure_ascii=False)
    return spread.replace('{"name"', '\n{"name"').replace('{"arm"', '\n{"arm"') + "\n"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, default=ROOT / "out" / "throughput")
    parser.add_argument("--brief", action="store_true", help="without what is slow or large")
    parser.add_argument("--no-measuring", action="store_true", help="only what is there")
    parser.add_argument("--page-only", action="store_true", help="from the numbers")
    return parser.parse_args()


if __name__ == "__main__":
    main()
