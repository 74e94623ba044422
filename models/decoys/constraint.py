"""What a decoy must keep: the values of the network's first layers, within a tolerance."""

import torch
from torch import Tensor

from models.decoys.search import Search
from models.layers import field, front
from models.loading import Network


class Kept:
    """F(x) for a picture x in each lane, F the network up to a layer, and how far from it to stay.

    `deviations`: the standard deviation of each F(x); `limits`: tolerance times that; float64
    (lanes,), in the layer's units. Every pass has exactly these lanes, so that the distance of a
    picture is the same number whoever asks. Only the modules up to the layer ever run.
    """

    def __init__(self, network: Network, search: Search, pictures: Tensor) -> None:
        """For float32 pictures (lanes, height, width, 3)."""
        self._network = network
        self.front = front(network.module, search.layer)
        self.field = field(self.front)
        self.lanes = len(pictures)
        with torch.no_grad():
            self.values = self._values(pictures)
        self.deviations = self.values.double().flatten(1).std(dim=1, correction=0)
        self.limits = search.tolerance * self.deviations

    @property
    def plane(self) -> tuple[int, int]:
        """Height and width of the layer's values; (1, 1) where they lie in no plane."""
        return self.values.shape[2], self.values.shape[3]

    def distance(self, images: Tensor) -> Tensor:
        """|F(image) − F(x)| lane by lane, float64 (lanes, c, h, w); images like the pictures."""
        with torch.no_grad():
            return self._apart(images).double()

    def pull(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The distance, and the slope at the images of Σ (|F(image) − F(x)| − limits)⁺."""
        pixels = images.detach().requires_grad_()
        with torch.enable_grad():
            apart = self._apart(pixels)
            over = (apart - self.limits[:, None, None, None].float()).clamp_min(0)
            (slope,) = torch.autograd.grad(over.sum(), pixels)
        return apart.detach().double(), slope

    def _apart(self, images: Tensor) -> Tensor:
        if len(images) != self.lanes:
            raise ValueError(f"images are {len(images)}; they must be {self.lanes}, the lanes")
        return (self._values(images) - self.values).abs()

    def _values(self, images: Tensor) -> Tensor:
        values: Tensor = self.front(self._network.normalised(images))
        return values if values.dim() == 4 else values.flatten(1)[:, :, None, None]
