"""What a request may say about decoys, for method dance."""

from typing import Annotated, Literal

from pydantic import Field

from models.decoys.search import LARGEST_CAP, LARGEST_PATCH, LARGEST_TOLERANCE, Search

# Each step takes a pass there and back for every two decoys, and workers are to be heard of often.
MOST_STEPS = 100
MOST_SHOWN = 8
FIELDS = ("scheme", "layer", "patch", "stride", "tolerance", "cap", "steps", "decoys")

Scheme = Annotated[
    Literal["patches", "lattice"] | None,
    Field(
        description="patches: one patch moves in each decoy, as published. lattice, the default: "
        "all patches move that are too far apart to meet behind the layer, in far fewer decoys"
    ),
]
Layer = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=100,
        description="decoys keep the values of this layer, one of those that GET /v1/models/{name} "
        "lists; default: the model's",
    ),
]
Patch = Annotated[
    int | None,
    Field(ge=1, le=LARGEST_PATCH, description=f"side of a patch, pixels; default: {Search.patch}"),
]
Stride = Annotated[
    int | None,
    Field(ge=1, le=LARGEST_PATCH, description="pixels from patch to patch; default: its side"),
]
Tolerance = Annotated[
    float | None,
    Field(
        ge=0,
        le=LARGEST_TOLERANCE,
        allow_inf_nan=False,
        description="how far a decoy's values of the layer may be from the picture's, in their "
        f"standard deviations; default: {Search.tolerance:g}",
    ),
]
Cap = Annotated[
    int | None,
    Field(
        ge=1,
        le=LARGEST_CAP,
        description="how far a decoy may be from the picture anywhere, in grey levels; default: "
        f"{Search.cap}",
    ),
]
Steps = Annotated[
    int | None,
    Field(ge=1, le=MOST_STEPS, description=f"steps of the search; default: {Search.steps}"),
]
Shown = Annotated[
    int | None,
    Field(ge=0, le=MOST_SHOWN, description="also answer so many of the decoys, as base64 PNG"),
]
