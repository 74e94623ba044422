"""The sampling engine: a plan and a range of sample indices in, evidence out.

The same evidence comes out for any split of the range, any order and any worker: noise is addressed
by sample index, and every pass through the network has exactly `lanes` images, because float32
results depend on the shape of the batch (but, at one shape, not on place or neighbours; measured,
docs/invariance.md). With lanes 1, strict, every image is computed alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify import noise as exact_noise
from certify.evidence import Evidence
from certify.plan import Plan
from models import images
from models.attribution.bases import ATTRIBUTIONS
from models.decoys.dancer import Dancer
from models.features import magnitude, pool, rank, vote
from models.loading import Network
from models.noise import Drawer

# Averaged scores are rounded to multiples of this: sums of them below 2^53 units are exact in
# float64, so that they add up to the same number in any order and any split.
UNIT = 2.0**-40


@dataclass(frozen=True)
class Look:
    """What the network says about the clean picture.

    `probabilities` is (classes,) float32; `map` is (height, width) float32, the magnitude of the
    base map, its largest over channels.
    """

    probabilities: NDArray[np.float32]
    target: int
    map: NDArray[np.float32]


class Sampler:
    """Looks at pictures through one network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.card = network.card
        self.dancer = Dancer(network)

    def look(
        self,
        image: NDArray[np.uint8],
        target: int | None = None,
        attribution: str = "gradient",
    ) -> Look:
        """Return the prediction and the base map for a (size, size, 3) picture.

        Without a target the predicted class is taken. Raises ValueError for another size or class,
        or an attribution that the network does not support.
        """
        self._check_image(image)
        classes = len(self.card.classes)
        pixels = torch.from_numpy(image).to(self.network.device, torch.float32).unsqueeze(0)
        if target is None:
            with torch.no_grad():
                target = int(self.network(pixels).argmax())
        self._check("target", target, 0 <= target < classes, f"a class index below {classes}")
        self._check_attribution(attribution)
        maps, logits = ATTRIBUTIONS[attribution].with_logits(self.network, pixels, target)
        probabilities = logits.softmax(dim=1)[0].cpu().numpy()
        return Look(probabilities, target, magnitude(maps)[0].cpu().numpy())

    def draw(self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int) -> Evidence:
        """Return the votes, or points by rank, and predictions of samples start … stop - 1.

        Raises ValueError where the plan is not about this network, this picture and these lanes.
        """
        if not plan.votes_only:
            places, predicted = self.rank(plan, image, start, stop)
            return Evidence.from_points(start, plan.points[places], predicted)
        votes, predictions = [], []
        for scores, logits in self._batches(plan, image, start, stop):
            votes.append(vote(scores, plan.recipe.votes).cpu().numpy())
            predictions.append(logits.argmax(dim=1).to(torch.int32).cpu().numpy())
        if not votes:
            return Evidence.empty(plan.features)
        return Evidence.from_votes(start, np.concatenate(votes), np.concatenate(predictions))

    def rank(
        self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return every feature's place in each of samples start … stop - 1, and the predictions.

        Places are (samples, features), 0 for the highest score; those below `votes` are the votes
        of `draw`.
        """
        places, predictions = [np.zeros((0, plan.features), np.int32)], [np.zeros(0, np.int32)]
        for scores, logits in self._batches(plan, image, start, stop):
            places.append(rank(scores).to(torch.int32).cpu().numpy())
            predictions.append(logits.argmax(dim=1).to(torch.int32).cpu().numpy())
        return np.concatenate(places), np.concatenate(predictions)

    def average(
        self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
    ) -> NDArray[np.float64]:
        """Return the sum over samples start … stop - 1 of the scores, (features,).

        The SmoothGrad of magnitudes (Smilkov et al. 2017, arXiv:1706.03825) times the number of
        samples. Each score is rounded to a multiple of 2^-40 before it is added, which makes sums
        below 2^13 exact: parts add up to the same bits however the range is split.
        """
        total = np.zeros(plan.features)
        for scores, _ in self._batches(plan, image, start, stop):
            units = (scores.double() / UNIT).round().sum(dim=0)
            total += units.cpu().numpy() * UNIT
        return total

    def _batches(
        self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield scores (n, features) and logits (n, classes), n ≤ lanes, in order of samples."""
        self._check_plan(plan, image)
        in_order = 0 <= start <= stop < 1 << 63
        self._check("sample range", f"{start}…{stop}", in_order, "0 ≤ start ≤ stop < 2^63")
        attribute = ATTRIBUTIONS[plan.recipe.attribution]
        fill = self._filler(plan, image)
        for first in range(start, stop, plan.recipe.lanes):
            samples = range(first, min(first + plan.recipe.lanes, stop))
            maps, logits = attribute.with_logits(self.network, fill(samples), plan.target)
            yield pool(magnitude(maps), plan.recipe.cell)[: len(samples)], logits[: len(samples)]

    def _filler(self, plan: Plan, image: NDArray[np.uint8]) -> Callable[[range], Tensor]:
        """Return a function from sample indices to (lanes, height, width, channels) noisy images.

        Image plus noise is an integer below 2^24 and so exact in float32. Lanes without a sample
        hold the clean picture; what they hold changes nothing.
        """
        make = _on_cpu if self.network.device.type == "cpu" else _on_device
        return make(plan, image, self.network.device)

    def _check_plan(self, plan: Plan, image: NDArray[np.uint8]) -> None:
        self._check_image(image)
        shape = (plan.height, plan.width, plan.channels)
        digest = images.digest(image)
        recipe, card = plan.recipe, self.card
        self._check("model", plan.model, plan.model == card.name, card.name)
        self._check("weights", plan.weights, plan.weights == card.weights, card.weights)
        self._check("image size", shape, shape == image.shape, str(image.shape))
        self._check("image digest", plan.image, plan.image == digest, digest)
        fits = recipe.lanes in (1, card.lanes)
        self._check("lanes", recipe.lanes, fits, f"{card.lanes}, or 1 for strict")
        self._check_attribution(recipe.attribution)
        self._check("precision", recipe.precision, recipe.precision == "float32", "float32")
        in_range = plan.target in range(len(card.classes))
        self._check("target", plan.target, in_range, f"a class index below {len(card.classes)}")

    def _check_attribution(self, name: str) -> None:
        known = self.card.attributions
        self._check("attribution", name, name in known, " or ".join(known))

    def _check_image(self, image: NDArray[np.uint8]) -> None:
        wanted = (self.card.size, self.card.size, 3)
        fits = image.dtype == np.uint8 and image.shape == wanted
        self._check("image", f"{image.dtype} {image.shape}", fits, f"uint8 {wanted}")

    @staticmethod
    def _check(field: str, value: object, holds: bool, rule: str) -> None:
        if not holds:
            raise ValueError(f"{field} is {value}; it must be {rule}")


def _on_cpu(
    plan: Plan, image: NDArray[np.uint8], device: torch.device
) -> Callable[[range], Tensor]:
    table, key = exact_noise.table(plan.recipe.noise), int(plan.key, 16)
    clean = image.astype(np.float32)

    def fill(samples: range) -> Tensor:
        noisy = np.repeat(clean[np.newaxis], plan.recipe.lanes, axis=0)
        for lane, sample in enumerate(samples):
            noisy[lane] += exact_noise.draw(table, key, sample, plan.entries).reshape(clean.shape)
        return torch.from_numpy(noisy)

    return fill


def _on_device(
    plan: Plan, image: NDArray[np.uint8], device: torch.device
) -> Callable[[range], Tensor]:
    drawer, key = _drawer(plan.recipe.noise, device), int(plan.key, 16)
    clean = torch.from_numpy(image).to(device, torch.float32)

    def fill(samples: range) -> Tensor:
        noisy = clean.expand(plan.recipe.lanes, -1, -1, -1).clone()
        noisy[: len(samples)] += drawer.draw(key, samples, plan.entries).reshape(-1, *clean.shape)
        return noisy

    return fill


@lru_cache(maxsize=8)
def _drawer(law: exact_noise.Gaussian, device: torch.device) -> Drawer:
    return Drawer(exact_noise.table(law), device)
