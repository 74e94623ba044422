"""What weaker attacks leave of the networks of a training experiment.

    python -m bench.training_weaker out/fm/training-fashion-modest.json --data fashion-mnist:FOLDER

At the bound that adversarial training trains for, a network that never saw an attack reads nothing
right, so that arms without any cannot be told apart there; SAT's authors judge it at an eighth to
three eighths of its bound. This measures PGD at an eighth and at a quarter, for every network whose
weights lie beside the record, and writes it into the record; what is known is not measured again.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.training import shuffled
from bench.training_arms import SEEDS
from bench.training_beside import add
from models.data.dataset import Split
from models.data.formats import load
from models.examination.predictions import Pgd, right_after_pgd
from models.loading import Network

SHARES = (0.125, 0.25)
STEPS, PICTURES = 10, 300


def main() -> None:
    """Measure what is not known yet, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("record", type=Path)
    parser.add_argument("--data", required=True, help="FORMAT:FOLDER, as for bench.training")
    chosen = parser.parse_args()
    test = shuffled(load(chosen.data).test).first(PICTURES)

    def measure(network: Network, paper: Mapping[str, Any]) -> list[dict[str, Any]]:
        return weaker(network, test, paper["pgd"]["bound"])

    add(chosen.record, "weaker", measure)


def weaker(network: Network, test: Split, bound: float) -> list[dict[str, Any]]:
    """For each share of the bound the accuracy after PGD at it, one random start."""
    made = []
    for share in SHARES:
        pgd = Pgd(share * bound, share * bound / 4, STEPS, 1)
        left = right_after_pgd(network, test, pgd, int(SEEDS[0], 16))
        made.append({"share": share, "pictures": len(test), "accuracy": float(left.mean())})
    return made


if __name__ == "__main__":
    main()
