"""Certificates of more pictures for the networks of a training experiment.

    python -m bench.training_deeper out/fm/training-fashion-modest.json --data fashion-mnist:FOLDER

An examination certifies few pictures, too few to tell apart what trainings do to certified overlap:
a mean of 24 values in [0, 1] may be 0.2 off. This certifies more for every network whose weights
lie beside the record, by the same paper, and writes it into the record; the first of them are those
of the examination.
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.training import shuffled
from bench.training_beside import add
from models.data.formats import load
from models.examination.certificates import certified
from models.loading import Network

PICTURES = 64


def main() -> None:
    """Measure what is not known yet, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("record", type=Path)
    parser.add_argument("--data", required=True, help="FORMAT:FOLDER, as for bench.training")
    chosen = parser.parse_args()
    test = shuffled(load(chosen.data).test).first(PICTURES)

    def measure(network: Network, paper: Mapping[str, Any]) -> dict[str, Any]:
        scale = paper["scale"] or network.card.defaults.scale
        return asdict(certified(network, test, scale, paper["samples"], int(paper["key"], 16)))

    add(chosen.record, "certified", measure)


if __name__ == "__main__":
    main()
