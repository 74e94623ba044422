"""A curved network, small enough for plain loops and finite differences, and pictures for it."""

import torch
from torch import Tensor, nn

from models.training.draws import Draws, Purpose
from models.training.pupil import Pupil

SHAPE = (4, 4, 3)
LABELS = torch.tensor([0, 2])
DRAWS = Draws(key=11, epoch=0, batch=0, numbers=(0, 1))


class Small(nn.Module):
    """Curved and tiny: one convolution, softplus, one linear layer, three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bend = nn.Conv2d(3, 2, 3, padding=1), nn.Softplus(2.0)
        self.out = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.out(self.bend(self.conv(x)).flatten(1))
        return made


def curved_pupil() -> Pupil:
    """It, in float64, with weights from fixed addresses."""
    module = Small().double()
    for number, parameter in enumerate(module.parameters()):
        drawn = Draws(5, number, 0, (0,)).normal(Purpose.PARAMETERS, tuple(parameter.shape))[0]
        parameter.data = 0.5 * drawn.double()
    return Pupil(module, (100.0, 110.0, 120.0), (60.0, 60.0, 60.0))


def pictures() -> Tensor:
    """Two of them."""
    return 255 * DRAWS.uniform(Purpose.PICK, SHAPE).double()
