"""What each base attribution is: its fixed parameters, its passes, its source. Loads no torch.

A certified map is a function of the noisy picture that its recipe names, so a name stands for one
set of parameters for ever: what changes a map gets a new name. What is random inside a method is
drawn at fixed addresses, the same for every picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Of all that is random inside attributions. Public: nothing that is proven rests on it.
KEY = 0xAFF1DA0000000000000000000000BA5E

STEPS = 16  # of an integral's path
DRAWS, DRAW_SCALE = 8, 0.1  # noisy pictures inside a SmoothGrad; their noise, [0, 1] intensity
TOP, FULL = 0.1, 0.01  # shares of the pixels that stay, and that count fully, in sparsified maps
WINDOWS = 7  # squares that occlusion covers, along each side
MASKS, GRID = 128, 7  # that RISE shows a picture through; bits of a mask along each side


@dataclass(frozen=True)
class Method:
    """One base attribution.

    summary: formula and parameters in words. forward, backward: passes through the network that one
    picture takes, for its map and its prediction together.
    """

    title: str
    summary: str
    source: str
    forward: int
    backward: int

    @property
    def passes(self) -> int:
        """Passes for each picture; one backward costs about as much as one forward."""
        return self.forward + self.backward


_SMOOTH = (
    f"{DRAWS} pictures under further Gaussian noise of scale {DRAW_SCALE}, the same for every "
    "picture"
)
_LEVINE = "Levine, Singla & Feizi (2019), arXiv:1905.12105"
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "gradient": Method(
            "Gradient",
            "slope of the logit with respect to the picture",
            "Simonyan, Vedaldi & Zisserman (2013), arXiv:1312.6034",
            forward=1,
            backward=1,
        ),
        "input_x_gradient": Method(
            "Input × gradient",
            "(picture − mean colour) times the gradient",
            "Shrikumar et al. (2016), arXiv:1605.01713",
            forward=1,
            backward=1,
        ),
        "integrated_gradients": Method(
            "Integrated gradients",
            f"(picture − mean colour) times the mean gradient at the middles of {STEPS} equal "
            "steps from the mean colour to the picture",
            "Sundararajan, Taly & Yan (2017), arXiv:1703.01365",
            forward=STEPS + 1,
            backward=STEPS,
        ),
        "smoothgrad": Method(
            "SmoothGrad",
            f"mean gradient of {_SMOOTH}",
            "Smilkov et al. (2017), arXiv:1706.03825",
            forward=DRAWS + 1,
            backward=DRAWS,
        ),
        "squared_smoothgrad": Method(
            "Squared SmoothGrad",
            f"mean squared gradient of {_SMOOTH}",
            "Hooker et al. (2019), arXiv:1806.10758",
            forward=DRAWS + 1,
            backward=DRAWS,
        ),
        "sparsified_smoothgrad": Method(
            "Sparsified SmoothGrad",
            f"how often a pixel is in the top {TOP:.0%} of the gradients of {_SMOOTH}",
            _LEVINE,
            forward=DRAWS + 1,
            backward=DRAWS,
        ),
        "relaxed_smoothgrad": Method(
            "Relaxed sparsified SmoothGrad",
            f"mean over gradients of {_SMOOTH}: the top {FULL:.0%} of the pixels count 1, others "
            f"of the top {TOP:.0%} in proportion to the least of those, the rest 0",
            _LEVINE,
            forward=DRAWS + 1,
            backward=DRAWS,
        ),
        "guided_backprop": Method(
            "Guided backpropagation",
            "gradient that passes each ReLU only where it is positive",
            "Springenberg et al. (2015), arXiv:1412.6806",
            forward=2,
            backward=1,
        ),
        "grad_cam": Method(
            "Grad-CAM",
            "positive part of the sum of the last channels, each times its mean gradient",
            "Selvaraju et al. (2017), arXiv:1610.02391",
            forward=1,
            backward=0,  # from the last layer with a place only: next to nothing
        ),
        "lrp": Method(
            "Layer-wise relevance propagation",
            "the logit shared out backwards in proportion to positive contributions (z⁺ rule)",
            "Bach et al. (2015), doi:10.1371/journal.pone.0130140",
            # Two or three convolutions for one on the way there, up to two on the way back.
            forward=4,
            backward=2,
        ),
        "occlusion": Method(
            "Occlusion",
            f"fall of the logit when a square is covered with the mean colour, {WINDOWS}×{WINDOWS} "
            "overlapping squares of a quarter of the side",
            "Zeiler & Fergus (2014), arXiv:1311.2901",
            forward=WINDOWS * WINDOWS + 2,
            backward=0,
        ),
        "rise": Method(
            "RISE",
            f"mean probability over those of {MASKS} random masks of {GRID}×{GRID} cells that show "
            "the pixel, the same masks for every picture",
            "Petsiuk, Das & Saenko (2018), arXiv:1806.07421",
            forward=MASKS + 1,
            backward=0,
        ),
        "dance": Method(
            "DANCE",
            "range of the gradient over the picture and four decoys of it, which keep an early "
            "layer within 0.3 of its deviation and move by at most 128 grey levels",
            "Lu, Guo, Xing & Noble (2021), ICML; decoys as in docs/dance.md",
            # The search runs early layers only: 45 of the passes there and 8 of those back.
            forward=50,
            backward=13,
        ),
    }
)
