"""What a caller gets to know of decoys: numbers and pictures."""

import base64
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.decoys.dancing import Range
from service.decoys.orders import Dancing
from service.decoys.results import Decoy, DecoyReport

LATTICE = (
    "patches too far apart to meet in any value of the layer are moved in one decoy, where the "
    "paper moves one patch in each"
)


def decoy_report(asked: Dancing, done: Range) -> DecoyReport:
    """What was asked of decoys and what was found."""
    search, sought, records = asked.search, done.sought, done.part.records
    each = [
        Decoy(
            number=int(records.numbers[n]),
            patches=int(records.patches[n]),
            repaired=int(records.repaired[n]),
            gain=int(records.gains[n]),
            l1=int(records.l1[n]),
            linf=int(records.linf[n]),
            distance=float(records.distances[n]),
        )
        for n in range(len(records))
    ]
    shown = [_png(picture) for picture in np.asarray(sought.pictures.open(), np.uint8)]
    return DecoyReport(
        scheme="lattice" if search.scheme == "lattice" else "patches",
        deviation_from_paper=LATTICE if search.scheme == "lattice" else None,
        layer=search.layer,
        patch=search.patch,
        stride=search.stride,
        tolerance=search.tolerance,
        cap=search.cap,
        steps=search.steps,
        count=len(records),
        null=records.null,
        limit=sought.limit,
        layer_deviation=sought.deviation,
        largest_distance=float(records.distances.max()),
        linear=not done.part.range.any(),
        each=each,
        pictures=shown,
    )


def _png(picture: NDArray[np.uint8]) -> str:
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
