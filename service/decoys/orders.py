"""The part of an order that is about decoys."""

from dataclasses import dataclass

from models.decoys.search import BASES, Search
from models.registry import Card
from service.decoys.fields import FIELDS
from service.problems import Fault, fault
from service.rules.base_maps import attribution
from service.schemas import ExplainParameters

METHOD = "dance"


@dataclass(frozen=True)
class Dancing:
    """Decoys to look for; `shown` of them to answer, `most` allowed."""

    search: Search
    shown: int
    most: int


def dancing(asked: ExplainParameters, card: Card, most: int) -> Dancing | None:
    """What is asked about decoys, with every default filled in; None for other methods."""
    if asked.method != METHOD:
        return None
    patch = asked.patch or Search.patch
    tolerance = Search.tolerance if asked.tolerance is None else asked.tolerance
    search = Search(
        asked.scheme or "lattice",
        asked.layer or card.defaults.layer,
        patch,
        asked.stride or patch,
        tolerance,
        asked.cap or Search.cap,
        asked.steps or Search.steps,
    )
    return Dancing(search, asked.decoys or 0, most)


def dance_rules(asked: ExplainParameters, card: Card) -> list[Fault]:
    """Faults of what is said about decoys, or said of them to another method."""
    if asked.method != METHOD:
        given = [name for name in FIELDS if getattr(asked, name) is not None]
        rule = f"method {asked.method} does not use it"
        return [fault(n, getattr(asked, n), rule, f"leave {n} out") for n in given]
    faults = []
    if asked.layer is not None and asked.layer not in card.layers:
        rule = f"layers of {card.name} are {', '.join(card.layers)}"
        faults.append(fault("layer", asked.layer, rule, f"see GET /v1/models/{card.name}"))
    if (base := attribution(asked, card)) not in BASES:
        rule = "decoys take the range of a signed map"
        faults.append(fault("attribution", base, rule, f"choose one of {', '.join(BASES)}"))
    return faults


def count_rule(asked: Dancing, count: int) -> list[Fault]:
    """The fault of asking for more decoys than are allowed, none if they are not."""
    if count <= asked.most:
        return []
    rule = f"it takes {count} decoys and {asked.most} are allowed here"
    fewer = "ask for a larger stride"
    if asked.search.scheme == "patches":
        fewer += " or for scheme lattice"
    advice = f"{fewer}, an earlier layer, or ask the operator to raise AFFIDAVIT_MAX_DECOYS"
    return [fault("scheme", asked.search.scheme, rule, advice)]
