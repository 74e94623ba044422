"""Orders: requests that are known to be fine, with every default filled in from the model card.

Everything that can be judged without running a model is judged here, so bad input never reaches
one. All broken rules are reported at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from certify import feasibility
from certify.claims import swaps_for
from certify.document import Asked
from certify.exact import decimal
from certify.plan import Plan, Question, Recipe
from certify.randomness import fresh_key
from certify.scores import VOTE
from models import registry
from models.registry import Card
from service.decoys.orders import Dancing, dance_rules, dancing
from service.edge.forms import typed
from service.failures import contradictions
from service.problems import Fault, fault, refuse
from service.rules.arithmetic import arithmetic_rules, lanes, precision
from service.rules.base_maps import attribution, attribution_rules
from service.rules.noise_laws import law_rules, recipe
from service.rules.stopping import stop, stop_rules
from service.schemas import CertifyParameters, ExplainParameters, Method
from service.settings import Settings

Schema = TypeVar("Schema", bound=BaseModel)
LAW, SHAPE = "gaussian", 2
CHANNELS = 3
NO_PICTURE = "0" * 64


@dataclass(frozen=True)
class Noise:
    """Samples to draw, their recipe and key; `fresh` if the key was made here."""

    recipe: Recipe
    samples: int
    key: str
    fresh: bool

    def plan(self, card: Card, image: str, target: int) -> Plan:
        """The plan for a picture with this digest and target."""
        side = card.size
        return Plan(
            card.name, card.weights, image, side, side, CHANNELS, target, self.recipe, self.key
        )


@dataclass(frozen=True)
class CertifyOrder:
    """A certificate to make: of which model and target, which noise, which question."""

    card: Card
    target: int | None
    noise: Noise
    question: Question
    asked: Asked
    pictures: bool


@dataclass(frozen=True)
class ExplainOrder:
    """A map to make; `noise` is None for that of the clean picture. precision: in which the network
    looks at that."""

    card: Card
    target: int | None
    method: Method
    attribution: str
    precision: str
    cell: int
    noise: Noise | None
    pictures: bool
    dance: Dancing | None = None


@contradictions()
def certify_order(fields: Mapping[str, Any], textual: bool, settings: Settings) -> CertifyOrder:
    """The order that these fields describe, one that some outcome of its samples could meet.

    Raises ProblemError naming every broken rule.
    """
    order = estimate_order(fields, textual, settings)
    _raise(_out_of_reach(order, settings.max_samples), "too-few-samples")
    return order


@contradictions()
def estimate_order(fields: Mapping[str, Any], textual: bool, settings: Settings) -> CertifyOrder:
    """The order that these fields describe, feasible or not. Raises ProblemError."""
    asked = parse(CertifyParameters, fields, textual)
    card = find_card(asked.model or settings.default_model)
    cell = asked.cell or card.defaults.cell
    features = _features(card, cell)
    k = _k(asked, card, features)
    rules = [
        *_common_rules(asked, card, cell, settings),
        *_exclusive(asked, "k", "fraction"),
        *stop_rules(asked),
        *law_rules(asked),
        *_fewer("k", k, features),
        *_fewer("votes", asked.votes or 1, features),
    ]
    _raise(rules)
    noise = _noise(asked, card, cell, asked.votes or k)
    question = Question(k, noise.samples, asked.failure_probability, asked.confidence, asked.norm)
    noise = replace(noise, recipe=recipe(asked, noise.plan(card, NO_PICTURE, 0), question))
    wanted = Asked(asked.overlap or 0.0, asked.radius or 0.0, stop(asked))
    return CertifyOrder(card, asked.target, noise, question, wanted, asked.pictures)


@contradictions()
def explain_order(fields: Mapping[str, Any], textual: bool, settings: Settings) -> ExplainOrder:
    """The order that these fields describe. Raises ProblemError naming every broken rule."""
    asked = parse(ExplainParameters, fields, textual)
    card = find_card(asked.model or settings.default_model)
    plain = asked.method in ("gradient", "plain", "dance")
    cell = asked.cell or (1 if plain else card.defaults.cell)
    features = _features(card, cell)
    votes = asked.votes or share(card.defaults.vote_fraction, features)
    rules = [
        *_common_rules(asked, card, cell, settings),
        *_unused(asked),
        *dance_rules(asked, card),
    ]
    if asked.method == "renyi":
        rules += _fewer("votes", votes, features)
    _raise(rules)
    # SmoothGrad casts no votes; a recipe has at least one.
    votes = votes if asked.method == "renyi" else 1
    return ExplainOrder(
        card=card,
        target=asked.target,
        method=asked.method,
        attribution=attribution(asked, card),
        precision=precision(asked),
        cell=cell,
        noise=None if plain else _noise(asked, card, cell, votes),
        pictures=asked.pictures,
        dance=dancing(asked, card, settings.max_decoys),
    )


def swaps_asked(order: CertifyOrder) -> int | None:
    """How many swaps the asked overlap rules out; None if no overlap is asked."""
    overlap = order.asked.overlap
    return swaps_for(decimal(overlap), order.question.k) if overlap else None


def asked_kind(asked: Asked) -> Literal["overlap", "radius", "claim", "curve"]:
    """What was asked, in one word: a claim is an overlap at a radius."""
    if asked.radius:
        return "claim" if asked.overlap else "radius"
    return "overlap" if asked.overlap else "curve"


def find_card(name: str) -> Card:
    """The model card of this name; raises ProblemError unknown-model."""
    known = registry.cards()
    if name in known:
        return known[name]
    rule = f"known models are {', '.join(known)}"
    raise refuse("unknown-model", fault("model", name, rule, "see GET /v1/models"))


def _features(card: Card, cell: int) -> int:
    """Cells of the feature grid; 0 if they do not fill the picture."""
    return 0 if card.size % cell else (card.size // cell) ** 2


def share(fraction: float, features: int) -> int:
    """The number of features that a fraction means: rounded down, at least 1."""
    return max(1, int(decimal(fraction) * features))


def parse(kind: type[Schema], fields: Mapping[str, Any], textual: bool) -> Schema:
    """`fields` as a schema; values of a form are text and read as numbers. Raises ProblemError."""
    try:
        return kind.model_validate(typed(kind, fields) if textual else fields, strict=True)
    except ValidationError as error:
        faults = [_fault(kind, each) for each in error.errors(include_url=False)]
        raise refuse("invalid-parameters", *faults) from None


def _fault(kind: type[BaseModel], error: ErrorDetails) -> Fault:
    name = str(error["loc"][0]) if error["loc"] else "body"
    if error["type"] == "extra_forbidden":
        known = ", ".join(kind.model_fields)
        return fault(name, error["input"], "no such field", f"known fields: image, {known}")
    says = kind.model_fields[name].description if name in kind.model_fields else None
    advice = says or "the fields are described in /openapi.json"
    if error["type"] == "missing":
        return fault(name, "nothing", "it is needed", f"give {advice}")
    rule = error["msg"].replace("Input should", "it must").replace("String should", "it must")
    return fault(name, error["input"], rule, f"{name}: {advice}")


def _out_of_reach(order: CertifyOrder, most_samples: int) -> list[Fault]:
    """The fault of asking for what no outcome of so few samples could prove; none if one could."""
    # What can be proven depends on neither the picture nor the target.
    plan = order.noise.plan(order.card, NO_PICTURE, 0)
    swaps, radius, samples = swaps_asked(order), order.asked.radius, order.noise.samples
    reach = feasibility.best_radius(plan, order.question, swaps)
    if reach > 0 and reach >= radius:
        return []
    most = f"more than radius {reach:g}" if reach else "any radius"
    rule = f"no outcome of so few samples could prove {most}"
    needed = feasibility.samples_needed(plan, order.question, radius, swaps)
    smaller = "a smaller radius, " if radius else ""
    others = f"{smaller}a larger scale, cell or failure_probability"
    advice = f"no number of samples would do; ask for {others}"
    if needed is not None and needed > most_samples:
        advice = f"it takes {needed} samples and {most_samples} are allowed here; ask for {others}"
    elif needed is not None:
        advice = f"ask for {needed} samples, or for {others}"
    return [fault("samples", samples, rule, advice)]


def _common_rules(
    asked: CertifyParameters | ExplainParameters, card: Card, cell: int, settings: Settings
) -> list[Fault]:
    classes, faults = len(card.classes), attribution_rules(asked, card)
    faults += arithmetic_rules(asked, card, settings)
    if card.size % cell:
        divisors = ", ".join(str(d) for d in range(1, card.size + 1) if card.size % d == 0)
        rule = f"it must divide the picture's side, {card.size} pixels"
        faults.append(fault("cell", cell, rule, f"choose one of {divisors}"))
    if asked.target is not None and asked.target >= classes:
        rule = f"{card.name} has classes 0 to {classes - 1}"
        faults.append(fault("target", asked.target, rule, f"see GET /v1/models/{card.name}"))
    if (asked.samples or 0) > settings.max_samples:
        rule = f"at most {settings.max_samples} samples per request"
        advice = "ask for fewer, or ask the operator to raise AFFIDAVIT_MAX_SAMPLES"
        faults.append(fault("samples", asked.samples, rule, advice))
    return faults


def _exclusive(asked: CertifyParameters, one: str, other: str) -> list[Fault]:
    if getattr(asked, one) is None or getattr(asked, other) is None:
        return []
    rule = f"give {one} or {other}, not both"
    return [fault(one, getattr(asked, one), rule, f"leave {one} or {other} out")]


def _fewer(name: str, count: int, features: int) -> list[Fault]:
    # No features at all: the cell is at fault, and says so itself.
    if count < features or not features:
        return []
    rule = f"it must be less than the number of features, {features}"
    choice = f"choose {name} from 1 to {features - 1}, or " if features > 1 else "choose "
    return [fault(name, count, rule, f"{choice}a smaller cell")]


def _unused(asked: ExplainParameters) -> list[Fault]:
    """Parameters that the chosen method has no use for."""
    votes = ("votes", "score")
    of_noise = ("scale", *votes, "lanes", "samples", "key")
    useless = {"gradient": of_noise, "plain": of_noise, "dance": of_noise, "smoothgrad": votes}
    given = [n for n in useless.get(asked.method, ()) if getattr(asked, n) is not None]
    rule = f"method {asked.method} does not use it"
    return [fault(n, getattr(asked, n), rule, f"leave {n} out") for n in given]


def _k(asked: CertifyParameters, card: Card, features: int) -> int:
    if asked.k is not None:
        return asked.k
    return share(asked.fraction or card.defaults.k_fraction, features)


def _noise(
    asked: CertifyParameters | ExplainParameters, card: Card, cell: int, votes: int
) -> Noise:
    recipe = Recipe(
        law=LAW,
        shape=SHAPE,
        scale=asked.scale or card.defaults.scale,
        attribution=attribution(asked, card),
        cell=cell,
        votes=votes,
        lanes=lanes(asked, card),
        precision=precision(asked),
        score=asked.score or VOTE,
    )
    key = asked.key.lower() if asked.key else fresh_key()
    return Noise(recipe, asked.samples or card.defaults.samples, key, asked.key is None)


def _raise(faults: Sequence[Fault], kind: str = "invalid-parameters") -> None:
    if faults:
        raise refuse(kind, *faults)
