"""The page docs/soundness.md, from the records of bench.soundness alone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]


def records(folder: Path) -> list[Record]:
    """All records of the folder: the large network first, a card's own base map before others."""
    found = [json.loads(file.read_text()) for file in sorted(folder.glob("soundness-*.json"))]
    return sorted(found, key=lambda record: record["model"] == "digits-tiny")


def page(given: Sequence[Record]) -> str:
    """The document, from its numbers alone."""
    rows = [row for record in given for row in record["rows"]]
    inside = [row for row in rows if row["multiple"] <= 1]
    outside = [row for row in rows if row["multiple"] > 1]
    return TEXT.format(
        inside=len(inside),
        broken_inside=sum(_broken(row) for row in inside),
        outside=len(outside),
        broken_outside=sum(_broken(row) for row in outside),
        tables="\n".join(_table(record) for record in given),
    )


def _broken(row: Mapping[str, Any]) -> bool:
    return bool(row["worst"] < row["certified"])


def _table(record: Record) -> str:
    # The oldest record is from when only gradient maps could be attacked.
    base = record.get("attribution", "gradient")
    lines = [
        f"### {record['model']}, {base} maps",
        "",
        f"{record['samples']} samples for the certificate and as many for each judgement; three "
        f"attacks of {record['steps']} steps, {record['draws']} noisy pictures averaged in each, "
        f"each from several starts; commit {record['commit'][:12]}, {record['device']}.",
        "",
        "| picture | reported | certified | within | attacked at | starts | smallest seen |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for row in record["rows"]:
        seen = f"{row['worst']}, broken" if _broken(row) else f"{row['worst']}"
        lines.append(
            f"| {row['picture']} | {row['k']} | {row['certified']} | {row['radius']:.4f} | "
            f"{row['multiple']:g} × | {row.get('starts', record['restarts'])} | {seen} |"
        )
    return "\n".join(lines) + "\n"


TEXT = """# Attacks on what is certified

For a certificate that at least so many of the reported regions stay within a radius, we look for a
picture within a multiple of that radius whose smoothed map keeps fewest: the top-k, target and
mass-centre attacks of Ghorbani et al. (2019), with slopes averaged over noise, climbed on a smooth
twin of network and base map, from the picture itself and from random points of the ball. What they
find is rounded to 8 bits and judged on the network itself, with samples of another key.

- Inside the radius {broken_inside} of {inside} attacked claims were broken. None may be.
- Outside, at 4 times the radius or more, {broken_outside} of {outside} were: the attacks do find
  something where there is something to be found.
- What is between the certified and the smallest seen is what the proof or the attack leaves.
- One photograph is attacked, for its network costs thousands of times what the tiny one does; by
  each attack from as many starts as its rows say.

`python -m bench.soundness` measures and writes this page; its docstring has the command of each
table. Radii are ℓ2, [0, 1] intensity.

{tables}"""
