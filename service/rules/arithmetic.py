"""In which precision, and with how many pictures in a pass, the network is asked to compute."""

from models.precision import FLOAT32, precisions, reason
from models.registry import Card
from service.problems import Fault, fault
from service.rules.base_maps import attribution
from service.schemas import CertifyParameters, ExplainParameters
from service.settings import Settings

Asked = CertifyParameters | ExplainParameters


def precision(asked: Asked) -> str:
    """The precision asked for."""
    return asked.precision or FLOAT32


def lanes(asked: Asked, card: Card) -> int:
    """The pictures in one pass: as asked, 1 if that is to be strict, else what the card says."""
    if isinstance(asked, CertifyParameters) and asked.strict:
        return 1
    return asked.lanes or card.lanes


def arithmetic_rules(asked: Asked, card: Card, settings: Settings) -> list[Fault]:
    """Faults of a precision that the base map lacks, and of lanes that are not to be had here."""
    return [*_precision_rules(asked, card), *_lanes_rules(asked, card, settings)]


def _precision_rules(asked: Asked, card: Card) -> list[Fault]:
    name, chosen = attribution(asked, card), precision(asked)
    if isinstance(asked, ExplainParameters) and asked.method == "dance" and asked.precision:
        name = "dance"
    why = reason(name, chosen)
    if why is None:
        return []
    advice = f"{name} is computed in {' or '.join(precisions(name))}"
    return [fault("precision", chosen, f"{name} is not computed in it: {why}", advice)]


def _lanes_rules(asked: Asked, card: Card, settings: Settings) -> list[Fault]:
    wanted = asked.lanes
    if wanted is None:
        return []
    most = max(settings.max_lanes, card.lanes)
    offered = [str(number) for number in card.batches if number <= most]
    if str(wanted) not in offered:
        rule = f"{card.name} takes {', '.join(offered)} here"
        advice = "choose one of these, or ask the operator to raise AFFIDAVIT_MAX_LANES"
        return [fault("lanes", wanted, rule, advice)]
    if isinstance(asked, CertifyParameters) and asked.strict and wanted != 1:
        rule = "strict is one picture at a time"
        return [fault("lanes", wanted, rule, "leave lanes or strict out")]
    return []
