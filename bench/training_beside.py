"""What is measured of networks of a training experiment after it has run.

A measure is kept by the SHA-256 of the weights, in a file beside the record, so that a cut run goes
on, and what is known is not measured again when the record has been put together anew.
"""

import json
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from models.loading import Network
from models.registry import Card, card

# The network, and the paper of its examination -> what is written into its unit.
Measure = Callable[[Network, Mapping[str, Any]], Any]


def add(path: Path, name: str, measure: Measure, arms: Collection[str] = ()) -> None:
    """Write what `measure` finds into every unit of the record, as `name`; of `arms` alone, if any.

    Looks for networks in the folder `models` beside the record. Raises ValueError where one of them
    is not that which was examined.
    """
    os.environ["AFFIDAVIT_MODELS"] = str(path.parent / "models")
    record, beside = json.loads(path.read_text()), path.with_suffix(f".{name}")
    known = json.loads(beside.read_text()) if beside.exists() else {}
    for unit in record["units"]:
        made = unit["examination"]
        if arms and unit["arm"] not in arms and made["weights"] not in known:
            continue
        if made["weights"] not in known:
            known[made["weights"]] = measure(Network(_same(made)), made["paper"])
            beside.write_text(json.dumps(known))
        unit[name] = known[made["weights"]]
    path.write_text(json.dumps(record, indent=1) + "\n")


def _same(made: Mapping[str, Any]) -> Card:
    """The card of the examined network. Raises ValueError where it has become another."""
    known = card(made["model"])
    if known.weights != made["weights"]:
        raise ValueError(f"{known.name} has weights {known.weights}; examined: {made['weights']}")
    return known
