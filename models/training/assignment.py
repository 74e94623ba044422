"""What is to be trained, as data: everything that decides the weights that come out."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from models.registry import card
from models.training.lesson import Recipe
from models.training.recipes import RECIPES


class Unwanted(ValueError):
    """What was asked cannot be trained: which setting, its value, the rule."""


@dataclass(frozen=True)
class Assignment:
    """One training run. Raises Unwanted for values that make no run.

    recipe: its name; settings: of its parameters, the others keep their defaults. data: as
    `models.data.formats.load` takes it. architecture: its name. epochs: passes over the training
    pictures in batches of `batch`. optimiser: sgd (momentum 0.9, Nesterov) or adam (AdamW). rate:
    the largest learning rate; schedule: how it goes. pad, flip: as `models.training.augment`. key:
    of everything random, 32 hexadecimal digits. take: only so many training pictures, 0 for all.
    """

    recipe: str
    data: str
    architecture: str = "small"
    epochs: int = 30
    batch: int = 128
    optimiser: str = "adam"
    rate: float = 1e-3
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    pad: int = 0
    flip: bool = False
    key: str = "affd0000000000000000000000000007"
    mixed: bool = False
    take: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "rate"):
            _require(getattr(self, name) > 0, name, getattr(self, name), "be positive")
        for name in ("weight_decay", "pad", "take"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "not be negative")
        _require(self.recipe in RECIPES, "recipe", self.recipe, f"be one of {', '.join(RECIPES)}")
        known = ", ".join(SCHEDULES)
        _require(self.schedule in SCHEDULES, "schedule", self.schedule, f"be one of {known}")
        _require(self.optimiser in ("sgd", "adam"), "optimiser", self.optimiser, "be sgd or adam")
        digits = len(self.key) == 32 and set(self.key) <= set("0123456789abcdef")
        _require(digits, "key", self.key, "be 32 lower-case hexadecimal digits")
        self.made()

    def made(self) -> Recipe:
        """The recipe with its settings. Raises Unwanted for one that it does not have."""
        recipe: Any = RECIPES[self.recipe]
        known = {field.name: field for field in fields(recipe)}
        changes = {}
        for name, text in self.settings.items():
            rule = f"be a parameter of {self.recipe}: {', '.join(known) or 'it has none'}"
            _require(name in known, "setting", name, rule)
            changes[name] = _parsed(name, text, getattr(recipe, name))
        try:
            made: Recipe = replace(recipe, **changes)
        except ValueError as error:
            raise Unwanted(f"{self.recipe}: {error}") from error
        return made

    @property
    def teacher(self) -> str:
        """The name of the model that the recipe learns from, "" for none."""
        return str(getattr(self.made(), "teacher", ""))

    def digest(self, data: str) -> str:
        """SHA-256 of this run over data of that digest: a checkpoint belongs to one of them."""
        whole = asdict(self) | {"settings": dict(sorted(self.settings.items())), "digest": data}
        if self.teacher:
            whole["teacher"] = card(self.teacher).weights
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _constant(done: float) -> float:
    return 1.0


def _cosine(done: float) -> float:
    """Up in a straight line for a twentieth of the run, then down along half a cosine."""
    return done / 0.05 if done < 0.05 else 0.5 + 0.5 * math.cos(math.pi * (done - 0.05) / 0.95)


def _drops(done: float) -> float:
    """A tenth after a half, a hundredth after three quarters."""
    return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01


# The share of the run that is done, from just above 0 to 1 -> the share of the rate.
SCHEDULES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {"constant": _constant, "cosine": _cosine, "drops": _drops}
)


def _parsed(name: str, text: str, default: object) -> object:
    """The text as a value of the kind that the default has."""
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text]
        if isinstance(default, tuple):
            return tuple(float(part) for part in text.split(","))
        return type(default)(text)  # type: ignore[call-arg]
    except (ValueError, KeyError):
        kind = "numbers, with commas" if isinstance(default, tuple) else type(default).__name__
        raise Unwanted(f"setting {name} is {text!r}; it must be {kind}, like {default}") from None


def _require(holds: bool, name: str, value: object, rule: str) -> None:
    if not holds:
        raise Unwanted(f"{name} is {value!r}; it must {rule}")
