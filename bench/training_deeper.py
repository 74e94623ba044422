"""PGD and certificates over more pictures for the networks of a training experiment.

    python -m bench.training_deeper out/fm/training-fashion-modest.json --data fashion-mnist:FOLDER

An examination asks few pictures, too few to tell apart what trainings do: a mean of 24 values in
[0, 1] may be 0.2 off. This asks more, by the same paper, of every network whose weights lie beside
the record, and writes it into the record; the first pictures are those of the examination.
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
from models.examination.predictions import Pgd, right_after_pgd
from models.loading import Network

Paper = Mapping[str, Any]


def main() -> None:
    """Measure what is not known yet, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("record", type=Path)
    parser.add_argument("--data", required=True, help="FORMAT:FOLDER, as for bench.training")
    parser.add_argument("--attacked", type=int, default=2000, help="pictures for PGD")
    parser.add_argument("--certified", type=int, default=64, help="pictures for certificates")
    chosen = parser.parse_args()
    test = shuffled(load(chosen.data).test)

    def attacks(network: Network, paper: Paper) -> dict[str, Any]:
        asked = test.first(chosen.attacked)
        left = right_after_pgd(network, asked, Pgd(**paper["pgd"]), int(paper["key"], 16))
        return {"pictures": len(left), "accuracy": float(left.mean())}

    def certificates(network: Network, paper: Paper) -> dict[str, Any]:
        scale = paper["scale"] or network.card.defaults.scale
        asked, key = test.first(chosen.certified), int(paper["key"], 16)
        return asdict(certified(network, asked, scale, paper["samples"], key))

    for name, count, measure in (
        ("pgd", chosen.attacked, attacks),
        ("certified", chosen.certified, certificates),
    ):
        if count:
            add(chosen.record, name, measure)


if __name__ == "__main__":
    main()
