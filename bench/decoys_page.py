"""The tables of docs/dance.md, from their numbers; `python -m bench.decoys_page` writes them."""

import json
import re
from typing import Any

from bench.provenance import ROOT

PAGE = ROOT / "docs" / "dance.md"
COST = ROOT / "docs" / "bench" / "decoys-cost.json"
CERTIFIED = ROOT / "docs" / "bench" / "decoys-certified.json"


def main() -> None:
    """Write the tables between their marks."""
    PAGE.write_text(filled(PAGE.read_text()))


def filled(page: str) -> str:
    """The page with its tables made anew; each stands between two marks that name it."""
    tables = {
        "cost": cost(json.loads(COST.read_text())),
        "certified": certified(json.loads(CERTIFIED.read_text())),
    }
    for name, table in tables.items():
        mark = f"<!-- {name} -->"
        pattern = f"{mark}.*?{mark}"
        page = re.sub(pattern, f"{mark}\n{table}\n{mark}", page, flags=re.DOTALL)
    return page


def cost(record: dict[str, Any]) -> str:
    """What a map costs in each way."""
    lattice, patches, alone = record["lattice"], record["patches"], record["one_by_one"]
    known = patches["measured_decoys"]
    whole = "whole" if known == patches["decoys"] else f"{known} decoys"
    return "\n".join(
        [
            "| | decoys | seconds of one core | of these for maps | measured |",
            "| --- | --: | --: | --: | --- |",
            f"| lattice | {lattice['decoys']} | {lattice['seconds']:.0f} | "
            f"{lattice['seconds_of_maps']:.0f} | whole |",
            f"| patches | {patches['decoys']} | {patches['seconds']:.0f} | "
            f"{patches['seconds_of_maps']:.0f} | {whole} |",
            f"| patches, one decoy at a time | {patches['decoys']} | {alone['seconds']:.0f} | | "
            f"{alone['measured_decoys']} decoys, {alone['fastest']:.2f} to "
            f"{alone['slowest']:.2f} s each |",
            "",
            f"Together is {record['speed_up']:.1f} times as fast as one at a time. Of the "
            f"published map's {known} decoys {patches['null']} are null and "
            f"{patches['repaired_patches']} were repaired; no value of the layer moves by more "
            f"than {patches['largest_distance_in_deviations']:.4f} standard deviations, and none "
            f"of the picture by more than {patches['largest_change']} grey levels. A patch gains "
            f"{patches['gain_of_a_patch']:.0f}. Of the lattice map's {lattice['decoys']} decoys "
            f"{lattice['null']} are null.",
        ]
    )


def certified(record: dict[str, Any]) -> str:
    """What certificates of DANCE and of the gradient prove."""
    lines = [
        "| network, picture | base map | samples | 25 % stay | 50 % stay | 75 % stay "
        "| shared | seconds a sample |",
        "| --- | --- | --: | --: | --: | --: | --: | --: |",
    ]
    for row in record["rows"]:
        radii = " | ".join(f"{row['radius'][share]:.4f}" for share in ("0.25", "0.5", "0.75"))
        lines.append(
            f"| {row['model']}, {row['picture']} | {row['attribution']} | {row['samples']} | "
            f"{radii} | {row['shared_with_gradient']} of {row['k']} | "
            f"{row['seconds_per_sample']:.4f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
