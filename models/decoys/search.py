"""What decoys are asked for, as data."""

import math
from dataclasses import dataclass

from certify.fields import require

SCHEMES = ("patches", "lattice")
BASES = ("gradient", "smoothgrad", "integrated_gradients")  # maps whose range is taken
LARGEST_PATCH = 64
LARGEST_TOLERANCE = 10.0
LARGEST_CAP = 255
MOST_STEPS = 1000


@dataclass(frozen=True)
class Search:
    """Which decoys of a picture x to look for.

    A decoy x̃ is an 8-bit picture that differs from x inside its patches only, by at most `cap` grey
    levels, with |F(x̃) − F(x)| ≤ tolerance · (standard deviation of F(x)) for every value of
    F, the network up to `layer`; of these, one whose change on one side, ‖((x̃ − x)·s)⁺‖₁, is large.

    scheme: "patches" moves one patch in each decoy, as published; "lattice" moves all patches at
    once that are too far apart to meet in any value of F, which takes far fewer decoys and is our
    deviation. patch: its side in pixels; one every `stride` pixels, s = +1 and −1 for each. steps:
    of the ascent.
    """

    scheme: str
    layer: str
    patch: int = 3
    stride: int = 3
    tolerance: float = 0.05
    cap: int = 32
    steps: int = 20

    def __post_init__(self) -> None:
        known = self.scheme in SCHEMES
        require(known, "scheme", self.scheme, f"be one of {', '.join(SCHEMES)}")
        require(bool(self.layer), "layer", self.layer, "be the path of a module")
        limits = (
            ("patch", LARGEST_PATCH),
            ("stride", LARGEST_PATCH),
            ("cap", LARGEST_CAP),
            ("steps", MOST_STEPS),
        )
        for name, largest in limits:
            number = getattr(self, name)
            require(1 <= number <= largest, name, number, f"lie in 1..{largest}")
        given = self.tolerance
        fits = math.isfinite(given) and 0 <= given <= LARGEST_TOLERANCE
        require(fits, "tolerance", given, f"lie between 0 and {LARGEST_TOLERANCE:g}")
