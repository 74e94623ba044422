"""What the api process and a worker say to each other, as data.

Messages are a closed list, told apart by `op`; unknown fields and unknown operations are refused.
Arrays travel as shape, type and bytes; nothing that comes over the wire can name code. How they
travel: `frames`.
"""

import math
from dataclasses import fields
from typing import Annotated, Literal, TypeVar, cast, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from certify.evidence import Evidence
from certify.plan import Plan
from models.decoys.part import Part
from models.decoys.records import Records
from models.decoys.search import Search

# Requests in one message. Where one of them fails, all are done again.
MOST_TOGETHER = 32

Type = Literal["uint8", "int32", "int64", "float32", "float64"]
TYPES: tuple[str, ...] = get_args(Type)
Kind = Literal["refused", "unavailable", "memory", "error", "malformed"]
Name = Annotated[str, msgspec.Meta(max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Shape = Annotated[tuple[Count, ...], msgspec.Meta(max_length=4)]


class BadMessage(ValueError):
    """A frame that is no message of this version; `ticket` names its request, 0 if unreadable."""

    def __init__(self, text: str, ticket: int = 0) -> None:
        super().__init__(text)
        self.ticket = ticket


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op"):
    """One operation or reply; subclasses are final."""


class Array(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An array in C order and native byte order: both ends run on one machine."""

    type: Type
    shape: Shape
    data: bytes

    @classmethod
    def of(cls, array: NDArray[np.generic]) -> "Array":
        """The array as a message; BadMessage if its type is not on the list."""
        name = array.dtype.name
        if name not in TYPES:
            raise BadMessage(f"an array of {name} does not travel; use one of {', '.join(TYPES)}")
        return cls(cast("Type", name), array.shape, array.tobytes())

    def open(self) -> NDArray[np.generic]:
        """A fresh array. BadMessage if the bytes do not fill the shape exactly."""
        dtype = np.dtype(self.type)
        expected = math.prod(self.shape) * dtype.itemsize
        if len(self.data) != expected:
            raise BadMessage(
                f"an array of {self.type} and shape {self.shape} takes {expected} bytes, "
                f"not {len(self.data)}"
            )
        return np.frombuffer(self.data, dtype=dtype).reshape(self.shape).copy()


class Ping(Message, frozen=True, tag="ping"):
    """Are you there, and is your loop running?"""


class Look(Message, frozen=True, tag="look"):
    """Probabilities and base map of one clean picture; `target` null asks for the top class."""

    model: Name
    image: Array
    target: Count | None
    attribution: Name = "gradient"
    precision: Name = "float32"


class Draw(Message, frozen=True, tag="draw"):
    """Votes of the samples `start` to `stop` of a plan."""

    plan: Plan
    image: Array
    start: Count
    stop: Count


class Average(Message, frozen=True, tag="average"):
    """Sum of the gridded maps of the samples `start` to `stop` of a plan."""

    plan: Plan
    image: Array
    start: Count
    stop: Count


# What passes many noisy samples through the network, whatever is kept of them.
Sampled = Draw | Average


class Together(Message, frozen=True, tag="together"):
    """Samples of several requests that share batches; see `models.lanes.company`."""

    parts: Annotated[tuple[Sampled, ...], msgspec.Meta(min_length=1, max_length=MOST_TOGETHER)]


class Seek(Message, frozen=True, tag="seek"):
    """What a search for decoys of a picture will give, and the first `shown` of them."""

    model: Name
    image: Array
    search: Search
    shown: Count


class Dance(Message, frozen=True, tag="dance"):
    """What the decoys from place `start` to `stop` contribute to a map by DANCE."""

    model: Name
    image: Array
    target: Count
    search: Search
    attribution: Name
    start: Count
    stop: Count


class Ready(Message, frozen=True, tag="ready"):
    """A worker's first words, and its answer to Ping: where it computes and what it has loaded."""

    pid: Count
    device: Name
    threads: Count
    models: tuple[Name, ...]


class Looked(Message, frozen=True, tag="looked"):
    """Reply to Look: probabilities (classes,), the target, and the map (height, width)."""

    probabilities: Array
    target: Count
    map: Array


class Drawn(Message, frozen=True, tag="drawn"):
    """Reply to Draw: the fields of `certify.evidence.Evidence`."""

    ranges: tuple[tuple[Count, Count], ...]
    features: Count
    votes: Array | None
    counts: Array
    predictions: Array
    squares: Array | None

    @classmethod
    def of(cls, evidence: Evidence) -> "Drawn":
        """The evidence as a message."""
        votes = None if evidence.votes is None else Array.of(evidence.votes)
        return cls(
            ranges=evidence.ranges,
            features=evidence.features,
            votes=votes,
            counts=Array.of(evidence.counts),
            predictions=Array.of(evidence.predictions),
            squares=None if evidence.squares is None else Array.of(evidence.squares),
        )

    def evidence(self) -> Evidence:
        """The evidence, checked by its own constructor."""
        return Evidence(
            ranges=self.ranges,
            features=self.features,
            votes=None if self.votes is None else typed(self.votes, np.uint8),
            counts=typed(self.counts, np.int64),
            predictions=typed(self.predictions, np.int32),
            squares=None if self.squares is None else typed(self.squares, np.int64),
        )


class Averaged(Message, frozen=True, tag="averaged"):
    """Reply to Average: the sum per feature, float64 (features,)."""

    total: Array


class DrawnTogether(Message, frozen=True, tag="drawn-together"):
    """Reply to Together: that of each part, in their order."""

    parts: tuple[Drawn | Averaged, ...]


class Sought(Message, frozen=True, tag="sought"):
    """Reply to Seek: the fields of `models.decoys.dancer.Outlook`."""

    count: Count
    deviation: float
    limit: float
    pictures: Array


class Danced(Message, frozen=True, tag="danced"):
    """Reply to Dance: the fields of `models.decoys.part.Part`, and those of its records by name."""

    highest: Array
    lowest: Array
    records: Annotated[dict[Name, Array], msgspec.Meta(max_length=16)]

    @classmethod
    def of(cls, part: Part) -> "Danced":
        """The part as a message."""
        records = {f.name: Array.of(getattr(part.records, f.name)) for f in fields(Records)}
        return cls(Array.of(part.highest), Array.of(part.lowest), records)

    def part(self) -> Part:
        """The part again; BadMessage where its records are not those of this version."""
        names = {f.name for f in fields(Records)}
        if self.records.keys() != names:
            raise BadMessage(f"records are {sorted(self.records)}; they must be {sorted(names)}")
        whole = {n: typed(a, np.int64) for n, a in self.records.items() if n != "distances"}
        records = Records(**whole, distances=typed(self.records["distances"], np.float64))
        return Part(typed(self.highest, np.float32), typed(self.lowest, np.float32), records)


class Failure(Message, frozen=True, tag="failure"):
    """Reply to anything that could not be done.

    refused: the request contradicts the model or itself; asking again is no use.
    unavailable: the weights of the model are not here. memory: the device has too little memory
    for it, other models put aside; less of it may fit. error: the worker failed while working.
    malformed: the frame was not a message.
    """

    kind: Kind
    detail: str


Request = Ping | Look | Sampled | Together | Seek | Dance
Reply = Ready | Looked | Drawn | Averaged | DrawnTogether | Sought | Danced | Failure


Element = TypeVar("Element", bound=np.generic)


def typed(array: Array, dtype: type[Element]) -> NDArray[Element]:
    """`array` opened, refused with BadMessage unless it has this type."""
    if array.type != np.dtype(dtype).name:
        raise BadMessage(f"expected an array of {np.dtype(dtype).name}, got {array.type}")
    return cast("NDArray[Element]", array.open())
