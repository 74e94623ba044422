"""What the three attacks of Ghorbani et al. (2019) leave of plain maps."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from models.attacks.aims import Aim, Pixels, centre_away, corner, region, top_k
from models.attacks.maps import Scores
from models.attacks.plain import Found, Strength, Victim, attack
from models.evaluation.agreement import Agreement, centre, compare
from models.evaluation.scores import ranking
from models.loading import Network

AIMS = ("top_k", "mass_centre", "target")


@dataclass(frozen=True)
class Attacks:
    """What is tried. k: pixels that count as the top; bound: grey levels, ℓ∞.

    side: of the square at the bottom right that the target attack draws the map to.
    """

    k: int
    bound: int = 8
    side: int = 4
    strength: Strength = field(default_factory=Strength)


def attacked(
    victim: Victim,
    pictures: NDArray[np.uint8],
    targets: Sequence[int],
    attacks: Attacks,
    key: int,
    numbers: Sequence[int] | None = None,
    aims: Sequence[str] = AIMS,
) -> dict[str, list[Found]]:
    """For each aim the best attacked picture of each picture, as `models.attacks.plain.attack`."""
    maps = scores(victim.network, victim.scores, pictures, targets)
    return {
        name: attack(
            victim,
            pictures,
            targets,
            [aim(name, clean, attacks) for clean in maps],
            attacks.bound,
            attacks.strength,
            key,
            numbers,
        )
        for name in aims
    }


def robustness(
    victim: Victim,
    pictures: NDArray[np.uint8],
    targets: Sequence[int],
    attacks: Attacks,
    key: int,
    numbers: Sequence[int] | None = None,
) -> dict[str, list[Agreement]]:
    """For each aim how each picture's map agrees with the clean one after the best attack."""
    before = scores(victim.network, victim.scores, pictures, targets)
    agreements: dict[str, list[Agreement]] = {}
    for name, found in attacked(victim, pictures, targets, attacks, key, numbers).items():
        there = np.stack([one.picture for one in found])
        after = scores(victim.network, victim.scores, there, targets)
        quadruples = zip(before, after, pictures, there, strict=True)
        agreements[name] = [compare(*one, attacks.k) for one in quadruples]
    return agreements


def aim(name: str, clean: NDArray[np.floating], attacks: Attacks) -> Aim:
    """The aim of this name against the clean map (height, width). Raises ValueError for another.

    top_k: share out of the k highest pixels; mass_centre: the centre of mass away from where it is;
    target: share into the square at the bottom right.
    """
    grid = Pixels(*clean.shape)
    if name == "top_k":
        return top_k(grid, ranking(clean)[: attacks.k].tolist())
    if name == "mass_centre":
        return centre_away(grid, torch.tensor(centre(clean)))
    if name == "target":
        return region(grid, corner(grid, attacks.side))
    raise ValueError(f"aim {name!r} is unknown; known are {', '.join(AIMS)}")


def scores(
    network: Network, attribute: Scores, pictures: NDArray[np.uint8], targets: Sequence[int]
) -> NDArray[np.float64]:
    """The maps of pictures (n, height, width, 3) on the network itself, (n, height, width)."""
    images = torch.from_numpy(pictures).to(network.device, torch.float32)
    with torch.no_grad():
        maps = attribute(network, images, torch.tensor(list(targets), device=images.device))
    values: NDArray[np.float64] = maps.double().cpu().numpy()
    return values
