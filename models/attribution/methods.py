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


@dataclass(frozen=True)
class Method:
    """One base attribution. forward, backward: passes through the network for one picture's map
    and logits; signed: whether its maps have signs; summary: formula and parameters in words."""

    title: str
    summary: str
    source: str
    forward: int
    backward: int
    signed: bool

    @property
    def passes(self) -> int:
        """Passes through the network for each picture; one back costs about as much as forward."""
        return self.forward + self.backward


_SMOOTH = (
    f"{DRAWS} pictures under further Gaussian noise of scale {DRAW_SCALE}, the same for every "
    "picture"
)
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "gradient": Method(
            "Gradient",
            "∂ logit / ∂ picture",
            "Simonyan, Vedaldi & Zisserman (2013), arXiv:1312.6034",
            forward=1,
            backward=1,
            signed=True,
        ),
        "integrated_gradients": Method(
            "Integrated gradients",
            f"(picture − mean colour) times the mean gradient at the middles of {STEPS} equal "
            "steps from the model's mean colour to the picture",
            "Sundararajan, Taly & Yan (2017), arXiv:1703.01365",
            forward=STEPS + 1,
            backward=STEPS,
            signed=True,
        ),
        "smoothgrad": Method(
            "SmoothGrad",
            f"mean gradient of {_SMOOTH}",
            "Smilkov et al. (2017), arXiv:1706.03825",
            forward=DRAWS + 1,
            backward=DRAWS,
            signed=True,
        ),
    }
)
