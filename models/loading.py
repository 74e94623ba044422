"""From a card to a network that is ready to run: checked, folded, laid out, frozen."""

import copy
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.architectures import ARCHITECTURES
from models.devices import exact, has_tensor_float, tensor_float
from models.merging import merged
from models.precision import TF32
from models.registry import Card
from models.weights import weights

FLOATS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    TF32: torch.float32,
}


class Network:
    """One model on one device: noisy pictures to logits, evaluation only.

    `module` holds its layers: batch norms folded into convolutions, weights channels-last, no
    parameter with a gradient. Passes go through `merged`: the same layers by the same names, on a
    processor in steps (`models.merging`). Normalisation is part of the network, so that gradients
    are with respect to the 0..255 values a certificate speaks about. On a GPU it computes in
    float32 proper, repeatably (`models.devices.exact`). `parameters` are those of a card whose file
    is not where cards' files are; else they are read from there.
    """

    precision = "float32"

    def __init__(
        self,
        card: Card,
        device: str | torch.device = "cpu",
        parameters: dict[str, Tensor] | None = None,
    ) -> None:
        self.card = card
        self.device = torch.device(device)
        if self.device.type == "cuda":
            exact()
        module = fold(build(card, read_weights(card) if parameters is None else parameters))
        self.module: nn.Module = module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.merged = self._merged()
        self._mean = torch.tensor(card.mean, dtype=torch.float32, device=self.device)
        self._std = torch.tensor(card.std, dtype=torch.float32, device=self.device)

    def __call__(self, images: Tensor) -> Tensor:
        """Return float32 logits (n, classes) for float32 images (n, height, width, 3) on 0..255."""
        logits: Tensor = self.merged(self.normalised(images))
        return logits.float()

    def normalised(self, images: Tensor) -> Tensor:
        """Return (n, 3, height, width) as the module wants it, from images as for a call.

        The one place where values get the network's precision, after normalisation in float32.
        """
        plain = (images - self._mean).div_(self._std).permute(0, 3, 1, 2)
        return plain.to(FLOATS[self.precision])

    def computes(self, precision: str) -> bool:
        """Whether the device has this precision."""
        return precision != TF32 or has_tensor_float(self.device)

    def arithmetic(self) -> AbstractContextManager[None]:
        """Where all passes of this network belong, there and back: what its precision needs."""
        return tensor_float() if self.precision == TF32 else nullcontext()

    def at(self, precision: str) -> "Network":
        """Return the network of this precision: a copy whose folded weights are rounded to it.

        The copy takes and gives float32: pictures, logits, and gradients of one in the other. What
        lies between is computed in the precision, backwards too; where a layer adds up in float32,
        it rounds what it passes on. It is another function than the network in float32. In tf32
        weights and activations stay float32, and the device rounds the factors of products; raises
        ValueError where it cannot.
        """
        if not self.computes(precision):
            rule = "only an NVIDIA GPU, from Ampere on, computes in it"
            raise ValueError(f"precision is {precision}, and the device {self.device}; {rule}")
        made = copy.copy(self)
        made.precision = precision
        if precision == TF32:
            return made
        made.module = copy.deepcopy(self.module).to(FLOATS[precision])
        made.merged = made._merged()
        return made

    def _merged(self) -> nn.Module:
        """The module as passes go through it on this device."""
        if self.device.type != "cpu":
            return self.module
        return merged(self.module, self.card.size, self.card.cam_layer)


def read_weights(card: Card) -> dict[str, Tensor]:
    """Return the card's parameters by name. Raises WeightsError where the file is not the one."""
    return safetensors.torch.load(weights(card))


def build(card: Card, parameters: dict[str, Tensor]) -> nn.Module:
    """Return the card's network, not yet folded, in evaluation mode and without gradients."""
    module = ARCHITECTURES[card.architecture].build(len(card.classes))
    module.load_state_dict(parameters, strict=True)
    return module.eval().requires_grad_(False)


def fold(module: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it, in place; return the module.

    Only where both are neighbours in an nn.Sequential, which says that one follows the other.
    """
    for part in module.modules():
        if isinstance(part, nn.Sequential):
            _fold_neighbours(part)
    return module


def _fold_neighbours(sequence: nn.Sequential) -> None:
    names = list(dict(sequence.named_children()))
    for first, second in pairwise(names):
        convolution, norm = sequence.get_submodule(first), sequence.get_submodule(second)
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(convolution, norm).requires_grad_(False)
            setattr(sequence, first, fused)
            setattr(sequence, second, nn.Identity())
