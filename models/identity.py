"""Whether a photograph and a network are the ones a document is about. Needs no torch."""

import numpy as np
from numpy.typing import NDArray

from certify.reading import Document
from models import images
from models.registry import card


class Mismatch(ValueError):
    """The picture or the network at hand is not the one that the document is about."""


def picture(document: Document, photo: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """The photo as the document's network sees it. Raises Mismatch where a digest differs."""
    plan, known = document.plan, card(document.plan.model)
    if known.weights != plan.weights:
        raise Mismatch(f"weights of {known.name} are {known.weights}, not {plan.weights}")
    fitted = images.read(photo, known, max_pixels=max_pixels)
    found = images.digest(fitted)
    if found != plan.image:
        raise Mismatch(f"this picture has SHA-256 {found}; the document is about {plan.image}")
    return fitted
