"""A picture of certified regions before it is drawn: all that goes on it, and small enough to keep.

Drawing takes longer than most proofs, and few come back for the picture of a job; it is drawn for
those who do.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from service.drawing import pictures
from service.drawing.marks import Cells
from service.drawing.pictures import Legend
from service.pool.messages import Array, typed

SCENE = "application/vnd.affidavit.scene"


@dataclass(frozen=True, eq=False)
class Scene:
    """What `pictures.regions` draws."""

    photo: NDArray[np.uint8]
    cells: Cells
    legend: Legend

    def draw(self) -> bytes:
        """The picture, as PNG."""
        return pictures.png(pictures.regions(self.photo, self.cells, self.legend))

    def pack(self) -> bytes:
        """The scene as bytes; `unpack` reads them."""
        labels = self.cells.labels.astype(np.int32)
        reported = self.cells.reported.astype(np.uint8)
        arrays = (Array.of(self.photo), Array.of(labels), Array.of(reported))
        return msgspec.msgpack.encode(_Packed(*arrays, self.legend))


class _Packed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    photo: Array
    labels: Array
    reported: Array
    legend: Legend


def unpack(body: bytes) -> Scene:
    """The scene that was packed. Raises msgspec.DecodeError or BadMessage for other bytes."""
    packed = msgspec.msgpack.decode(body, type=_Packed)
    labels, reported = typed(packed.labels, np.int32), typed(packed.reported, np.uint8)
    cells = Cells(labels.astype(np.int8), reported.astype(bool))
    return Scene(typed(packed.photo, np.uint8), cells, packed.legend)
