"""Train the network of models/cards/digits-tiny: `python tools/train_digits.py`.

Data: the 1797 handwritten digits, 8×8 in 17 grey levels, that come with scikit-learn (BSD-3-Clause;
test set of the UCI "Optical Recognition of Handwritten Digits", Alpaydin & Kaynak 1998, CC BY 4.0).
Each pixel becomes 2×2 pixels of an 8-bit picture. Every fifth picture is held out. Gaussian noise
of a random scale is added in training, so that smoothed maps and predictions can be certified.

Needs scikit-learn, which the project itself does not. One thread and a fixed seed: on one machine
the file comes out the same, byte for byte. Writes the weights and, for the tests, the first
held-out picture of each class that the network reads right; prints what belongs on the card.
"""

import hashlib
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn

from models.architectures import tiny

HERE = Path(__file__).parent.parent
WEIGHTS = HERE / "models" / "cards" / "digits-tiny.safetensors"
PICTURES = HERE / "tests" / "data" / "digits"
SCALES = (0.0, 0.1, 0.25, 0.5)  # standard deviations of noise reported on the card
EPOCHS, BATCH, SEED = 60, 64, 20260101


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    pictures, labels = data()
    held_out = np.arange(len(labels)) % 5 == 0
    generator = torch.Generator().manual_seed(SEED)
    network = train(tensor(pictures[~held_out]), torch.tensor(labels[~held_out]), generator)
    weights = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    WEIGHTS.write_bytes(safetensors.torch.save(dict(sorted(weights.items()))))
    print("weights", hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(), WEIGHTS.stat().st_size)
    images, truth = tensor(pictures[held_out]), torch.tensor(labels[held_out])
    for scale in SCALES:
        print(f"held out, noise {scale}: {accuracy(network, images, truth, scale, generator):.3f}")
    right = (network(images).argmax(1) == truth).numpy()
    save_pictures(pictures[held_out][right], labels[held_out][right])


def data() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pictures (n, 16, 16) and labels (n,)."""
    digits = load_digits()
    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return grey.repeat(2, axis=1).repeat(2, axis=2), digits.target.astype(np.int64)


def tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """Return (n, 3, 16, 16) normalised as on the card."""
    plane = torch.from_numpy(pictures.astype(np.float32) / 127.5 - 1)
    return plane.unsqueeze(1).expand(-1, 3, -1, -1).contiguous()


def train(images: Tensor, labels: Tensor, generator: torch.Generator) -> nn.Module:
    """Return a network trained on noisy copies; noise scale uniform in [0, 0.5]."""
    torch.manual_seed(SEED)  # for the initial weights
    network = tiny.build(10)
    steps = EPOCHS * -(-len(labels) // BATCH)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1e-2, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(labels), generator=generator).split(BATCH):
            logits = network(noisy(images[batch], generator))
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits, labels[batch]).backward()
            optimiser.step()
            schedule.step()
    return network.eval()


def noisy(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images + noise; normalised intensities span 2, hence the factor."""
    scales = torch.rand(len(images), 1, 1, 1, generator=generator) * 0.5
    return images + 2 * scales * torch.randn(images.shape, generator=generator)


@torch.no_grad()
def accuracy(
    network: nn.Module, images: Tensor, labels: Tensor, scale: float, generator: torch.Generator
) -> float:
    """Return the share of right answers at one noise scale, 10 noisy copies a picture."""
    copies, truth = images.repeat(10, 1, 1, 1), labels.repeat(10)
    noise = 2 * scale * torch.randn(copies.shape, generator=generator)
    return float((network(copies + noise).argmax(1) == truth).float().mean())


def save_pictures(pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Write the first picture of each class as a grey PNG."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for digit in range(10):
        first = int(np.argmax(labels == digit))
        Image.fromarray(pictures[first]).save(PICTURES / f"{digit}.png", optimize=True)


if __name__ == "__main__":
    main()
