"""One page about one document, for people: opens offline, holds everything, loads nothing.

Written only for a document that holds, and only with the photograph it is about. The page proves
nothing by itself and says so: it tells how to check the document that it shows.
"""

import base64
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray
from PIL import Image

from certify import wording
from certify.certificate import Certificate
from certify.reading import Document
from certify.verify import Report, render, verify
from models.identity import picture
from models.registry import UnknownModel, card
from service.drawing import pictures, report_page
from service.drawing.marks import Cells
from service.keys import public
from service.settings import Settings


class Refused(Exception):
    """The document does not hold, so no page is made of it; says what failed."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What a page is about: a document that holds and the photograph as its network saw it."""

    document: Document
    certificate: Certificate
    report: Report
    picture: NDArray[np.uint8]
    digest: str
    checked: bool

    @property
    def title(self) -> str:
        """The model, in words."""
        return card(self.document.plan.model).title

    @property
    def answer(self) -> tuple[int, float]:
        """So many of the reported stay within this radius; see `certify.wording`."""
        return wording.answer(self.document.asked, self.certificate)


def html(
    data: bytes, photo: bytes, *, key: Ed25519PublicKey | None, max_pixels: int, name: str
) -> str:
    """The page about the document in `data`, which lies in a file called `name`.

    With `key` the document must be signed by it. Raises Refused if the document does not hold,
    BadImage, UnknownModel, and Mismatch if the photo is not the document's.
    """
    report = verify(data, key)
    document, certificate = report.document, report.certificate
    if not report.holds or document is None or certificate is None:
        raise Refused(f"{render(report, name)} No page is made of it.")
    fitted = picture(document, photo, max_pixels)
    digest = sha256(data).hexdigest()
    subject = Subject(document, certificate, report, fitted, digest, key is not None)
    images = {"map": _heat(subject), "regions": _regions(subject), "photo": _photo(subject)}
    return report_page.page(subject, {each: _data(image) for each, image in images.items()}, name)


def write(path: Path, page: str) -> dict[str, Path]:
    """Write the page, and the folder it lies in; what it is, and where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return {"one page about it all, for people; opens offline": path}


def beside(folder: Path, photo: bytes, settings: Settings, *, ours: bool) -> dict[str, Path]:
    """Write report.html about the certificate.json in the folder; what it is, and where.

    Nothing is written where the model is not installed here. If the document is `ours`, it must be
    signed with the key of the settings, if they name one. Raises as `html` does, and BadKey.
    """
    document = folder / "certificate.json"
    key = public(settings.signing_key) if ours and settings.signing_key else None
    limit = settings.max_pixels
    try:
        page = html(document.read_bytes(), photo, key=key, max_pixels=limit, name=document.name)
    except UnknownModel:
        return {}
    return write(folder / "report.html", page)


def _heat(subject: Subject) -> Image.Image:
    plan, evidence = subject.document.plan, subject.document.evidence
    scores = plan.shares(evidence.counts, evidence.samples).reshape(plan.rows, plan.columns)
    return pictures.heat(subject.picture, scores)


def _regions(subject: Subject) -> Image.Image:
    plan, proven = subject.document.plan, subject.certificate
    reported = np.zeros(plan.features, dtype=bool)
    reported[list(proven.reported)] = True
    labels, grid = proven.labels(subject.answer[1]), (plan.rows, plan.columns)
    return pictures.marked(subject.picture, Cells(labels.reshape(grid), reported.reshape(grid)))


def _photo(subject: Subject) -> Image.Image:
    return Image.fromarray(subject.picture)


def _data(image: Image.Image) -> str:
    return "data:image/png;base64," + base64.b64encode(pictures.png(image)).decode("ascii")
