"""Parts of several families: what is added, what is averaged, a convolution with its norm."""

from torch import Tensor, nn

from models.sums import mean_of_plane


class Sum(nn.Module):
    """Addition as a layer of its own, for methods that see layers only."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x + y."""
        return x + y


class Mean(nn.Module):
    """Mean over the plane, likewise."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to (n, channels)."""
        return mean_of_plane(x)


def unit(before: int, after: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size at stride 1, without bias, and its batch norm."""
    convolution = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(after)]
