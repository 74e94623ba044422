"""PGD, certificates and attacked maps of more pictures for networks of a training experiment.

    python -m bench.training_deeper out/fm/training-fashion-modest.json --data fashion-mnist:FOLDER
    python -m bench.training_deeper RECORD --data … --explained 200 --arms ig-sum-norm cacr-wacr

An examination asks few pictures, too few to tell apart what trainings do: a mean of 24 values in
[0, 1] may be 0.2 off. This asks more, by the same paper, of every network whose weights lie beside
the record, and writes it into the record; the first pictures are those of the examination. Of maps
it attacks integrated gradients alone, at their top k, by which attributional recipes are judged.
"""

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from bench.training import shuffled
from bench.training_beside import add
from models.attacks.plain import Strength
from models.data.dataset import Split
from models.data.formats import load
from models.evaluation.robustness import Attacks
from models.examination.certificates import certified
from models.examination.explanations import Subjects, explanations
from models.examination.predictions import Pgd, right, right_after_pgd
from models.loading import Network

Paper = Mapping[str, Any]
MEASURES = ("top_k", "kendall")


def main() -> None:
    """Measure what is not known yet, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("record", type=Path)
    parser.add_argument("--data", required=True, help="FORMAT:FOLDER, as for bench.training")
    parser.add_argument("--attacked", type=int, default=0, help="pictures for PGD")
    parser.add_argument("--certified", type=int, default=0, help="pictures for certificates")
    parser.add_argument("--explained", type=int, default=0, help="pictures whose maps are attacked")
    parser.add_argument("--arms", nargs="*", default=(), help="those alone")
    chosen = parser.parse_args()
    test = shuffled(load(chosen.data).test)
    for name, count, measure in (
        ("pgd", chosen.attacked, attacked),
        ("certified", chosen.certified, certificates),
        ("maps", chosen.explained, explained),
    ):
        if count:
            add(chosen.record, name, partial(measure, test, count), chosen.arms)


def attacked(test: Split, count: int, network: Network, paper: Paper) -> dict[str, Any]:
    """Accuracy after PGD, as an examination has it."""
    asked = test.first(count)
    left = right_after_pgd(network, asked, Pgd(**paper["pgd"]), int(paper["key"], 16))
    return {"pictures": len(left), "accuracy": float(left.mean())}


def certificates(test: Split, count: int, network: Network, paper: Paper) -> dict[str, Any]:
    """What is certified, as an examination has it."""
    scale = paper["scale"] or network.card.defaults.scale
    asked, key = test.first(count), int(paper["key"], 16)
    return asdict(certified(network, asked, scale, paper["samples"], key))


def explained(test: Split, count: int, network: Network, paper: Paper) -> dict[str, Any]:
    """Means of MEASURES of integrated gradients after the attack on their top k."""
    subjects = Subjects.of(test, right(network, test), count)
    k, bound = paper["k"] or network.card.size**2 // 10, round(paper["pgd"]["bound"])
    attacks, key = Attacks(k, bound, strength=Strength(**paper["strength"])), int(paper["key"], 16)
    asked = {"bases": ("integrated_gradients",), "aims": ("top_k",)}
    found = explanations(network, subjects, attacks, key, transferred=False, **asked)
    left = found["integrated_gradients"]["top_k"]
    means = {name: left[name] for name in MEASURES}
    return {"pictures": len(subjects.labels), "k": k, "integrated_gradients": {"top_k": means}}


if __name__ == "__main__":
    main()
