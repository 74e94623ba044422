"""The page docs/arithmetic.md, from arithmetic.json alone."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
NAMES = {
    "gaussian": "Gaussian",
    "laplace": "Laplace",
    "generalized_normal": "generalized normal, exponent {shape}",
}


def page(record: Mapping[str, Any]) -> str:
    """The document, from its numbers alone."""
    sizes = sorted({row["features"] for row in record["rows"]})
    return TEXT.format(
        samples=record["samples"],
        norm=record["norm"],
        repeats=record["repeats"],
        promises=" and ".join(
            f"{record['promised_seconds'][str(size)]:g} s at {size} features" for size in sizes
        ),
        tables="\n".join(_table(record, size) for size in sizes),
        commit=record["commit"][:12],
        device=record["device"],
        load=record["load"],
    )


def _table(record: Mapping[str, Any], features: int) -> str:
    lines = [
        f"## {features} features",
        "",
        "| law | bounds | CPU seconds | of these, most |",
        "| --- | --- | --: | --- |",
    ]
    return "\n".join(
        [*lines, *(_line(row) for row in record["rows"] if row["features"] == features), ""]
    )


def _line(row: Row) -> str:
    law = NAMES[row["law"]].format(shape=row["shape"])
    parts = sorted(row["parts"].items(), key=lambda part: -part[1])[:3]
    most = ", ".join(f"{name.replace('_', ' ')} {seconds:.2f}" for name, seconds in parts)
    return f"| {law} | {row['confidence']} | {row['seconds']:.2f} | {most} |"


TEXT = """# What the arithmetic of a certificate costs

From counted votes to every number that is issued, by all routes: {samples} samples, ℓ{norm}, one
core, no network. Promised is less than {promises}.
`python -m bench.arithmetic` measures and writes this page.

CPU seconds of a process of its own, the least of {repeats} runs: nothing is remembered from one
certificate to the next, and the table of the noise is part of it. Parts are from one more run.
While this was measured {load} processes wanted the processor ({device}), which slow one another
down. Numbers: [bench/arithmetic.json](bench/arithmetic.json), commit {commit}.

{tables}"""
