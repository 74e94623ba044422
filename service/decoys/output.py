"""What the command line says of decoys, and their pictures as files."""

import base64
from pathlib import Path
from statistics import median

from service.decoys.results import DecoyReport


def in_words(report: DecoyReport) -> list[str]:
    """What was looked for and what was found, a line each."""
    asked = f"{report.tolerance:g} standard deviations of {report.layer}"
    moved = sum(each.patches for each in report.each)
    lines = [
        f"{report.count} decoys, scheme {report.scheme}; {report.null} of them are the photograph "
        "itself, for nothing else was found.",
        f"No value of a decoy's layer moved by more than {_reached(report)} of the {asked} that "
        "were allowed; checked on each decoy.",
        f"{moved} patches moved, {_repaired(report)} of them pulled back into the tolerance.",
        *_sizes(report),
    ]
    if report.deviation_from_paper:
        lines.append(f"Not as published: {report.deviation_from_paper}.")
    if report.linear:
        lines.append("The map is 0 everywhere, as for a linear network: there is nothing to see.")
    return lines


def _reached(report: DecoyReport) -> str:
    """The largest distance in standard deviations, rounded down so as not to pass the limit."""
    if not report.layer_deviation:
        return "0"
    return f"{int(report.largest_distance / report.layer_deviation * 1e4) / 1e4:g}"


def _repaired(report: DecoyReport) -> int:
    return sum(each.repaired for each in report.each)


def _sizes(report: DecoyReport) -> list[str]:
    """How far decoys are from the photograph: all three norms that were measured."""
    changes = {
        "ℓ∞ (largest change)": [each.linf for each in report.each],
        "ℓ1 (sum of changes)": [each.l1 for each in report.each],
        "gain (sum to the side looked for)": [each.gain for each in report.each],
    }
    return [
        f"{name}, grey levels: {min(found)} to {max(found)}, half below {median(found):g}."
        for name, found in changes.items()
    ]


def write_pictures(report: DecoyReport, out: Path) -> dict[str, Path]:
    """Write the decoys that were asked for into the folder `out`; what each is, and where."""
    files = {}
    for place, text in enumerate(report.pictures, start=1):
        path = out / f"decoy-{place}.png"
        path.write_bytes(base64.b64decode(text, validate=True))
        files[f"a decoy, {place} of {report.count}"] = path
    return files
