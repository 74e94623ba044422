"""The file of a model's weights: there and the one its card names, or an error. Free of torch."""

import hashlib
from pathlib import Path

from models.registry import Card, weights_file


class WeightsError(RuntimeError):
    """The weights of a model are missing or are not the ones its card names."""


def weights(card: Card) -> bytes:
    """The card's safetensors file. Raises WeightsError where the file is not the one."""
    return checked(weights_file(card), card.weights, f"weights of {card.name}")


def checked(path: Path, sha256: str, what: str) -> bytes:
    """Return the file's bytes, or raise WeightsError: missing, unreadable, or of another digest."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise WeightsError(
            f"{what} are missing: no {path.name} in {path.parent}; run `make setup` "
            f"(or `python -m models.fetch`), or set AFFIDAVIT_WEIGHTS to the folder that has them"
        ) from None
    except OSError as error:
        raise WeightsError(f"{what} cannot be read: {path}: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsError(
            f"{what}: {path.name} has SHA-256 {found}; it must be {sha256}; "
            f"remove it and run `make setup`"
        )
    return data
