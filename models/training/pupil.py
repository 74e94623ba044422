"""The network that is being trained, as three functions of pictures over the same parameters."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from models.attacks.maps import Logits
from models.attacks.twin import smooth_twin


class Pupil:
    """Pictures (n, height, width, 3) on 0..255 to logits (n, classes), to be trained.

    Normalisation is part of the network, as in `models.loading.Network`. With `mixed` the network
    computes in bfloat16 where torch holds that to be safe; parameters and logits are float32.
    """

    def __init__(
        self, module: nn.Module, mean: Sequence[float], std: Sequence[float], mixed: bool = False
    ) -> None:
        self.module = module
        self.parameters: tuple[Tensor, ...] = tuple(module.parameters())
        self.device = self.parameters[0].device
        self._mean = torch.tensor(tuple(mean), device=self.device)
        self._std = torch.tensor(tuple(std), device=self.device)
        self._mixed = mixed
        self._twins: dict[float, nn.Module] = {}

    def __call__(self, pictures: Tensor) -> Tensor:
        """Logits as in training: batch norms take the statistics of this batch, and learn them."""
        return self._logits(self.module.train(), pictures)

    def calm(self, pictures: Tensor) -> Tensor:
        """Logits as in use: batch norms are constants, so no picture depends on another.

        Attacks and maps are of this function, the one that will be explained.
        """
        return self._logits(self.module.eval(), pictures)

    def smooth(self, sharpness: float) -> Logits:
        """`calm` with every ReLU rounded to a softplus, over the same parameters.

        Where gradients are trained, a ReLU network's have no slope in the picture.
        """
        if sharpness not in self._twins:
            self._twins[sharpness] = shared_twin(self.module, sharpness)
        twin = self._twins[sharpness]
        return lambda pictures: self._logits(twin, pictures)

    def _logits(self, module: nn.Module, pictures: Tensor) -> Tensor:
        normalised = ((pictures - self._mean) / self._std).permute(0, 3, 1, 2)
        with self._precision():
            logits: Tensor = module(normalised)
        return logits.float() if self._mixed else logits

    def _precision(self) -> AbstractContextManager[object]:
        kind = self.device.type
        return torch.autocast(kind, torch.bfloat16) if self._mixed else nullcontext()


def shared_twin(module: nn.Module, sharpness: float) -> nn.Module:
    """`models.attacks.twin.smooth_twin` whose parameters and buffers are the module's own.

    In evaluation mode; what is learned through it is learned by the module.
    """
    twin = smooth_twin(module, sharpness)
    named = dict(module.named_parameters()) | dict(module.named_buffers())
    for path, part in twin.named_modules():
        for name in (*part._parameters, *part._buffers):
            whole = f"{path}.{name}" if path else name
            if whole in named:
                setattr(part, name, named[whole])
    return twin
