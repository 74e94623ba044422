"""The attribution is the derivative it says it is."""

import numpy as np
import torch
from numpy.typing import NDArray

from models.attribution.gradient import gradient, gradient_of
from models.features import magnitude
from models.loading import Network, build, fold, read_weights


def test_equals_finite_differences(tiny: Network, digits: NDArray[np.uint8]) -> None:
    """Central differences in float64 of the same network; its kinks are rarer than the step."""
    module = fold(build(tiny.card, read_weights(tiny.card))).double()
    mean, std = torch.tensor(tiny.card.mean), torch.tensor(tiny.card.std)
    image = torch.from_numpy(digits[5]).double() + 0.25  # away from ties of equal pixels

    def logit(x: torch.Tensor) -> torch.Tensor:
        return module(((x - mean) / std).permute(0, 3, 1, 2))[:, 5]

    step = 1e-4 * torch.eye(image.numel(), dtype=torch.float64).reshape(-1, *image.shape)
    slow = ((logit(image + step) - logit(image - step)) / 2e-4).reshape(image.shape)
    maps, logits = gradient_of(tiny, image.float()[None], 5)
    np.testing.assert_allclose(maps[0].numpy(), slow.numpy(), rtol=1e-3, atol=1e-6)
    largest = magnitude(maps)[0].numpy()
    np.testing.assert_allclose(largest, slow.abs().amax(2).numpy(), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(logits[0, 5].item(), logit(image[None]).item(), rtol=1e-4)


def test_target_is_fixed_whatever_is_predicted(tiny: Network, digits: NDArray[np.uint8]) -> None:
    images = torch.from_numpy(digits).float()
    together = gradient(tiny, images, 8)
    for index in range(10):
        alone, logits = gradient_of(tiny, images[index : index + 1], 8)
        torch.testing.assert_close(alone[0], together[index], rtol=1e-4, atol=1e-7)
    assert logits.argmax() == 9, "the last digit is not the target, and its map was compared too"


def test_leaves_no_trace_on_its_arguments(tiny: Network, digits: NDArray[np.uint8]) -> None:
    images = torch.from_numpy(digits).float()
    maps, logits = gradient_of(tiny, images, 0)
    assert not images.requires_grad
    assert not maps.requires_grad and not logits.requires_grad
    assert all(p.grad is None for p in tiny.module.parameters())
