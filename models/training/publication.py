"""A trained network as a model: weights, classes and card in one folder, ready to be served.

The folder is named to the service by AFFIDAVIT_MODELS; nothing else has to be done.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn

from models import registry
from models.data.dataset import DataSet, Split
from models.loading import Network
from models.registry import Card
from models.training.assignment import Assignment, Unwanted
from models.training.draws import Draws
from models.training.loop import MEAN, STD, Trained

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LANES, SAMPLES, FRACTION, SCALE = 32, 1000, 0.25, 0.25
REGIONS = 8  # cells along each side that a card's defaults aim at
TEST_BATCH = 256


@dataclass(frozen=True)
class Listing:
    """What a card says that no training run knows."""

    name: str
    title: str = ""
    licence: str = "not stated"

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            rule = "be small letters, digits and single hyphens between them"
            raise Unwanted(f"name is {self.name!r}; it must {rule}")
        if self.name in {path.stem for path in registry.CARDS.glob("*.toml")}:
            raise Unwanted(f"name is {self.name!r}; that model comes with the project")


def publish(
    listing: Listing, assignment: Assignment, data: DataSet, trained: Trained, folder: Path
) -> Card:
    """Write the network of a run into `folder`; return its card, read back from there.

    The accuracy on the card is that of the network as the service loads it, over the whole test
    split, clean and under noise of the card's scale. Replaces a model of this name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = trained.module.state_dict()
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    kept = {name: kept[name] for name in sorted(kept) if not name.endswith("num_batches_tracked")}
    weights = safetensors.torch.save(kept)
    (folder / f"{listing.name}.safetensors").write_bytes(weights)
    classes = f"{listing.name}-classes.txt"
    (folder / classes).write_text("\n".join(data.classes) + "\n", encoding="utf-8")
    values = _values(listing, assignment, data, trained.module, hashlib.sha256(weights).hexdigest())
    path = folder / f"{listing.name}.toml"
    _write(path, values | {"classes": classes, "accuracy": "being measured"})
    network = Network(registry.read(path), parameters=kept)
    _write(path, values | {"classes": classes, "accuracy": _accuracies(network, data.test)})
    return registry.read(path)


def accuracy(network: Network, split: Split, scale: float = 0.0, key: int = 0) -> float:
    """The share of pictures that the network reads right, under noise of this scale.

    Noise is that of certificates, one draw for each picture, a function of key and picture.
    """
    right = 0
    for first in range(0, len(split), TEST_BATCH):
        chosen = range(first, min(first + TEST_BATCH, len(split)))
        pictures = split.pictures[chosen.start : chosen.stop].astype(np.float32)
        if scale:
            draws = Draws(key, 0, 0, tuple(chosen))
            shape = pictures.shape[1:]
            pictures += np.stack([draws.noise(scale, i, shape) for i in range(len(chosen))])
        with torch.no_grad():
            predicted = network(torch.from_numpy(pictures).to(network.device)).argmax(dim=1)
        right += int((predicted.cpu().numpy() == split.labels[chosen.start : chosen.stop]).sum())
    return right / len(split)


def _accuracies(network: Network, test: Split) -> str:
    scale = network.card.defaults.scale
    clean, noisy = accuracy(network, test), accuracy(network, test, scale)
    return f"{clean:.3f} of {len(test)} test pictures; under noise of scale {scale}: {noisy:.3f}."


def _values(
    listing: Listing, assignment: Assignment, data: DataSet, module: nn.Module, weights: str
) -> dict[str, object]:
    """The fields of the card, but for classes and accuracy."""
    layers, layer, cam = layers_of(module)
    reason = "its planes are flattened and not averaged before the classifier"
    return {
        "name": listing.name,
        "title": listing.title or listing.name,
        "summary": f"{data.name} at {data.side}×{data.side}, trained by the recipe "
        f"{assignment.recipe}.",
        "architecture": assignment.architecture,
        "weights": weights,
        "licence": listing.licence,
        "origin": _origin(assignment, data),
        "size": data.side,
        "resize": data.side,
        "mean": list(MEAN),
        "std": list(STD),
        "lanes": LANES,
        "layers": list(layers),
        **({"cam_layer": cam} if cam else {}),
        "defaults": {
            "cell": cell(data.side),
            "scale": SCALE,
            "samples": SAMPLES,
            "k_fraction": FRACTION,
            "vote_fraction": FRACTION,
            "layer": layer,
        },
        **({} if cam else {"unsupported": {"grad_cam": reason}}),
    }


def _origin(assignment: Assignment, data: DataSet) -> str:
    given = ", ".join(f"{name} = {value}" for name, value in sorted(assignment.settings.items()))
    shown = f" ({given})" if given else ""
    teacher = registry.card(assignment.teacher).weights if assignment.teacher else ""
    taught = f", its teacher's weights SHA-256 {teacher[:16]}…" if teacher else ""
    return (
        f"Trained by `affidavit train {assignment.recipe}`{shown} on {data.name} (SHA-256 "
        f"{data.digest[:16]}…){taught}: {assignment.epochs} epochs in batches of "
        f"{assignment.batch}, {assignment.optimiser}, rate {assignment.rate:g} "
        f"({assignment.schedule}), weight decay {assignment.weight_decay:g}, key {assignment.key}."
    )


def cell(side: int) -> int:
    """The side of a feature: a divisor that leaves about eight features along each side."""
    divisors = [number for number in range(1, side) if side % number == 0]
    return min(divisors, key=lambda number: (abs(side / number - REGIONS), number))


def layers_of(module: nn.Module) -> tuple[tuple[str, ...], str, str | None]:
    """Layers that decoys may keep, the one they keep by default, and that of Grad-CAM, if any."""
    names: list[str] = []
    for name, child in module.named_children():
        if name in ("mean", "classifier"):
            break
        inner = isinstance(child, nn.Sequential) and name in ("features", "blocks")
        names += [f"{name}.{part}" for part, _ in child.named_children()] if inner else [name]
    averaged = "mean" in dict(module.named_children())
    return tuple(names), names[len(names) // 3], names[-1] if averaged else None


def _write(path: Path, values: Mapping[str, object]) -> None:
    """A TOML file of these values: scalars and lists first, then tables."""
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    text = [_line(name, value) for name, value in values.items() if name not in tables]
    for name, table in tables.items():
        text += ["", f"[{name}]", *(_line(key, value) for key, value in table.items())]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def _line(name: str, value: object) -> str:
    # Strings, numbers and lists of them are written alike in JSON and TOML.
    return f"{name} = {json.dumps(value, ensure_ascii=False)}"
