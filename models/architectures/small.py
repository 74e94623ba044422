"""A convolutional network for small pictures of any size: 28×28, 32×32, 64×64."""

from torch import Tensor, nn

from models.architectures.layers import Mean

WIDTH, SLIM = 32, 8
# Channels, as multiples of the width, and stride of each convolution.
LAYERS = ((1, 1), (2, 2), (2, 1), (4, 2), (4, 1))


class Small(nn.Module):
    """Five 3×3 convolutions with batch norm, two of stride 2; mean over the plane; linear layer.

    Its kinks are plain ReLUs, so that every attribution and every attack knows it.
    """

    def __init__(self, classes: int, width: int = WIDTH) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        before = 3
        for multiple, stride in LAYERS:
            after = multiple * width
            parts += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)]
            parts.append(nn.ReLU())
            before = after
        self.features = nn.Sequential(*parts)
        self.mean = Mean()
        self.classifier = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes) for normalised images (n, 3, height, width)."""
        logits: Tensor = self.classifier(self.mean(self.features(x)))
        return logits


def build(classes: int) -> Small:
    """Return the network with untrained weights."""
    return Small(classes)


def slim(classes: int) -> Small:
    """Return the network a quarter as wide, a sixteenth of the weights: thousands of gradients a
    second on one core."""
    return Small(classes, SLIM)


def rename(name: str) -> str:
    """Return the name unchanged: these weights are made here."""
    return name
