"""Which base map is asked for, and whether the model supports it."""

from models.registry import Card
from service.problems import Fault, fault
from service.schemas import CertifyParameters, ExplainParameters

# What all methods but votes start from; what votes do, the model card says.
DEFAULT = "gradient"


def attribution(asked: CertifyParameters | ExplainParameters, card: Card) -> str:
    """The base map asked for; else, for votes, the one by which the network certifies well."""
    votes = isinstance(asked, CertifyParameters) or asked.method == "renyi"
    return asked.attribution or (card.defaults.attribution if votes else DEFAULT)


def attribution_rules(asked: CertifyParameters | ExplainParameters, card: Card) -> list[Fault]:
    """Faults of a base map that the model does not support, or that its method contradicts."""
    name, faults = attribution(asked, card), []
    if name not in card.attributions:
        advice = f"{card.name} supports {', '.join(card.attributions)}"
        rule = f"{card.name} does not support it: {dict(card.unsupported)[name]}"
        faults.append(fault("attribution", name, rule, advice))
    if isinstance(asked, ExplainParameters) and asked.method == "gradient" and name != DEFAULT:
        rule = "method gradient is the map of the gradient"
        faults.append(fault("attribution", name, rule, "ask for method plain, or leave it out"))
    return faults
