"""What answers say of decoys."""

from typing import Literal

from pydantic import Field

from service.schemas import Wire


class DecoyProgress(Wire):
    """One `progress` event of method dance."""

    decoys: int = Field(description="decoys found and explained")
    total: int
    seconds: float


class Decoy(Wire):
    """One decoy; changes in grey levels, distances in the layer's units."""

    number: int = Field(description="2 · patch or lattice, row by row; plus 1 where values fall")
    patches: int = Field(description="patches that changed; 0: the picture itself")
    repaired: int = Field(description="patches pulled back because the search had left the limit")
    gain: int = Field(description="sum of the changes to the side that was looked for")
    l1: int = Field(description="sum of all changes, without their signs")
    linf: int = Field(description="largest change")
    distance: float = Field(description="largest change of a value of the layer; checked")


class DecoyReport(Wire):
    """The decoys of a map by method dance: what was asked, what was found."""

    scheme: Literal["patches", "lattice"]
    deviation_from_paper: str | None = Field(
        description="what scheme lattice does otherwise than the paper; null where nothing"
    )
    layer: str
    patch: int
    stride: int
    tolerance: float
    cap: int
    steps: int
    count: int
    null: int = Field(description="decoys that are the picture itself: nothing else was found")
    limit: float = Field(description="no value of the layer is further away, in its units")
    layer_deviation: float = Field(description="standard deviation of its values, same units")
    largest_distance: float
    linear: bool = Field(
        description="the map is 0 everywhere, as for a linear network: nothing was to be seen"
    )
    each: list[Decoy]
    pictures: list[str] = Field(description="the decoys asked for, as base64 PNG")
