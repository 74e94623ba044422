"""The networks of docs/throughput.md, each with a picture, noise made beforehand, and a plan."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.planned import planned
from bench.provenance import ROOT
from certify.noise import draw, table
from certify.plan import Plan
from models.architectures import ARCHITECTURES
from models.loading import Network, build, read_weights
from models.registry import Card, card
from models.sampling import Sampler
from models.training.initial import initialise
from models.training.publication import layers_of
from models.tuning import usual

KEY = "affd0000000000000000000000000006"
PHOTOGRAPH = ROOT / "examples" / "photos" / "coffee.jpg"
# Networks without trained weights: how fast they are does not depend on them.
RANDOM: dict[str, dict[str, Any]] = {
    "small-32": {"architecture": "small", "size": 32, "lanes": 32, "cell": 4, "classes": 10},
    "resnet50": {"architecture": "resnet50", "size": 224, "lanes": 8, "cell": 16, "classes": 1000},
}
NAMES = ("efficientnet-lite0", "mobilenet-v2", *RANDOM)


@dataclass(frozen=True, eq=False)
class Subject:
    """shipped: the module as its package has it, unfolded, contiguous. noisy: the first samples of
    the plan, (64, size, size, 3)."""

    sampler: Sampler
    shipped: nn.Module
    picture: NDArray[np.uint8]
    plan: Plan
    noisy: Tensor

    @property
    def network(self) -> Network:
        """As we run it: folded, channels-last, float32."""
        return self.sampler.network


def subject(name: str) -> Subject:
    """The network of this name, and `coffee` as it sees it; a picture of noise for small ones."""
    made, parameters = _random(name) if name in RANDOM else (card(name), read_weights(card(name)))
    sampler = Sampler(Network(made, parameters=parameters))
    shipped = build(made, parameters)
    if name in RANDOM:
        words = np.random.Generator(np.random.Philox(7))
        picture = words.integers(0, 256, (made.size, made.size, 3)).astype(np.uint8)
        plan = replace(usual(sampler, picture, "float32", made.lanes), key=KEY)
    else:
        picture, plan = planned(sampler, PHOTOGRAPH, made.defaults.scale, KEY)
    plan = replace(plan, recipe=replace(plan.recipe, attribution="gradient"))
    law = table(plan.recipe.noise)
    noise = [draw(law, int(KEY, 16), each, plan.entries) for each in range(64)]
    noisy = torch.from_numpy(picture + np.stack(noise).reshape(-1, *picture.shape)).float()
    return Subject(sampler, shipped, picture, plan, noisy)


def _random(name: str) -> tuple[Card, dict[str, Tensor]]:
    """A card of its own, and weights from fixed addresses."""
    given = RANDOM[name]
    module = ARCHITECTURES[given["architecture"]].build(given["classes"])
    initialise(module, 6)
    layers, layer, cam = layers_of(module)
    known = card("digits-tiny")
    defaults = replace(known.defaults, cell=given["cell"], layer=layer, attribution="gradient")
    made = replace(
        known,
        name=name,
        architecture=given["architecture"],
        classes=tuple(map(str, range(given["classes"]))),
        size=given["size"],
        lanes=given["lanes"],
        layers=layers,
        cam_layer=cam,
        defaults=defaults,
        unsupported=(),
    )
    return made, module.state_dict()
