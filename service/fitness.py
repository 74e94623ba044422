"""Before serving: settings with which no request could be answered are said at once."""

import subprocess
import sys

from models.registry import UnknownModel, card
from models.weights import WeightsError, weights
from service.settings import Settings


class Unfit(Exception):
    """A setting names a model, weights or a device that are not here; the text says which."""


def check(settings: Settings) -> None:
    """Raise Unfit unless the default model, its weights and the device are here.

    Loads no torch: a named GPU is looked for in a process of its own. Where workers run elsewhere,
    so does the device.
    """
    try:
        weights(card(settings.default_model))
    except UnknownModel as error:
        raise Unfit(f"setting default_model: {error}") from error
    except WeightsError as error:
        raise Unfit(str(error)) from error
    if settings.pool is None:
        check_device(settings)


def check_device(settings: Settings) -> None:
    """Raise Unfit unless the device is here."""
    if settings.device.startswith("cuda"):
        _find(settings.device)


def _find(device: str) -> None:
    command = (sys.executable, "-m", "models.devices", device)
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        lines = found.stderr.strip().splitlines() or [f"status {found.returncode}"]
        raise Unfit(f"setting device: {lines[-1]}")
