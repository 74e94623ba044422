"""What `affidavit tune` found on this machine, kept beside the store. Loads no torch.

An entry counts only where model, weights, torch and processor are those that it was measured with.
"""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from models.precision import FLOAT32
from models.registry import Card, cards
from models.trials import Trial, processor, recommended
from service.pool.workers import NVIDIA
from service.settings import Settings

FOLDER = "tuning"


class Tuned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model's trials, and with what they were measured."""

    model: str
    weights: str
    torch: str
    processor: str
    measured: str
    trials: tuple[Trial, ...]


def kind(device: str) -> str:
    """cpu or cuda: what workers on this device compute with."""
    gpu = device.startswith("cuda") or (device == "auto" and NVIDIA.exists())
    return "cuda" if gpu else "cpu"


def keep(settings: Settings, card: Card, trials: list[Trial]) -> Path:
    """Write what was measured just now; return the file."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    here = processor(kind(settings.device))
    tuned = Tuned(card.name, card.weights, version("torch"), here, now, tuple(trials))
    file = _file(settings, card)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(tuned)) + b"\n")
    partial.replace(file)
    return file


def kept(settings: Settings, card: Card) -> Tuned | None:
    """What was measured of this model with this torch on this processor; None if nothing was."""
    try:
        found = msgspec.json.decode(_file(settings, card).read_bytes(), type=Tuned)
    except (OSError, msgspec.DecodeError):
        return None
    here = (card.name, card.weights, version("torch"), processor(kind(settings.device)))
    same = (found.model, found.weights, found.torch, found.processor) == here
    return found if same and any(each.precision == FLOAT32 for each in found.trials) else None


def advice(card: Card, trials: tuple[Trial, ...] | list[Trial]) -> list[str]:
    """Which options of a request are quick here, in words."""
    best, other = recommended(card, trials)
    own = " (as the model card says)" if best.lanes == card.lanes else ""
    lines = [
        f"{card.name}: quickest in float32 with {best.lanes} lanes{own}, "
        f"{best.samples_per_second:g} samples/s"
    ]
    if other is not None:
        lines.append(
            f"{card.name}: {other.samples_per_second / best.samples_per_second:.2g} times as fast "
            f"with precision {other.precision} and {other.lanes} lanes, another function of the "
            f"picture that shares {other.equal_votes:.1%} of the votes here"
        )
    return lines


def remembered(settings: Settings) -> list[str]:
    """Advice for every model that was tuned on this machine as it is."""
    found = [(card, kept(settings, card)) for card in cards().values()]
    return [line for card, tuned in found if tuned for line in advice(card, tuned.trials)]


def _file(settings: Settings, card: Card) -> Path:
    return settings.data_dir / FOLDER / f"{card.name}.json"
