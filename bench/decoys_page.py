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
    measured = f"{patches['measured_decoys']} of {patches['decoys']} decoys, one search"
    return "\n".join(
        [
            "| | decoys | seconds of one core | measured |",
            "| --- | --: | --: | --- |",
            f"| lattice | {lattice['decoys']} | {lattice['seconds']:.0f} | whole |",
            f"| patches | {patches['decoys']} | {patches['seconds']:.0f} | {measured} |",
            f"| patches, one decoy at a time | {patches['decoys']} | "
            f"{alone['seconds_of_a_map']:.0f} | {alone['measured_decoys']} decoys |",
            "",
            f"Together is {record['speed_up']:.1f} times as fast as one at a time. Of the lattice "
            f"map's {lattice['changed_patches']} patches that changed, "
            f"{lattice['repaired_patches']} were repaired; a patch gains "
            f"{lattice['gain_of_a_patch']:.0f} grey levels, no value moves by more than "
            f"{lattice['largest_change']}, and {lattice['null']} decoys are null.",
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
