"""From a card to a network that is ready to run: checked, folded, laid out, frozen."""

import hashlib
from itertools import pairwise
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.architectures import ARCHITECTURES
from models.registry import Card, weights_file


class WeightsError(RuntimeError):
    """The weights of a model are missing or are not the ones its card names."""


class Network:
    """One model on one device: noisy pictures to logits, evaluation only.

    Batch norms are folded into convolutions, weights lie channels-last and no parameter takes a
    gradient. Normalisation is part of the network, so that gradients are with respect to the
    0..255 values a certificate speaks about.
    """

    def __init__(self, card: Card, device: str | torch.device = "cpu") -> None:
        self.card = card
        self.device = torch.device(device)
        module = fold(build(card, read_weights(card)))
        self.module = module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._mean = torch.tensor(card.mean, device=self.device)
        self._std = torch.tensor(card.std, device=self.device)

    def __call__(self, images: Tensor) -> Tensor:
        """Return logits (n, classes) for float32 images (n, height, width, 3) on 0..255."""
        logits: Tensor = self.module(self.normalised(images))
        return logits

    def normalised(self, images: Tensor) -> Tensor:
        """Return (n, 3, height, width) as the module wants it, from images as for a call."""
        return ((images - self._mean) / self._std).permute(0, 3, 1, 2)


def read_weights(card: Card) -> dict[str, Tensor]:
    """Return the card's parameters by name. Raises WeightsError where the file is not the one."""
    path = weights_file(card)
    return safetensors.torch.load(checked(path, card.weights, f"weights of {card.name}"))


def checked(path: Path, sha256: str, what: str) -> bytes:
    """Return the file's bytes, or raise WeightsError: missing, or of another digest."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise WeightsError(
            f"{what} are missing: no {path.name} in {path.parent}; run `make setup` "
            f"(or `python -m models.fetch`), or set AFFIDAVIT_WEIGHTS to the folder that has them"
        ) from None
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsError(
            f"{what}: {path.name} has SHA-256 {found}; it must be {sha256}; "
            f"remove it and run `make setup`"
        )
    return data


def build(card: Card, weights: dict[str, Tensor]) -> nn.Module:
    """Return the card's network, not yet folded, in evaluation mode and without gradients."""
    module = ARCHITECTURES[card.architecture].build(len(card.classes))
    module.load_state_dict(weights, strict=True)
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
