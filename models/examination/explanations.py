"""What attacks on explanations leave of a network's maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.attacks.maps import climbable, magnitudes
from models.attacks.plain import Found, Victim
from models.attribution.bases import ATTRIBUTIONS
from models.data.dataset import Split
from models.evaluation.agreement import Agreement, compare
from models.evaluation.robustness import AIMS, Attacks, attacked, scores
from models.features import magnitude
from models.loading import Network

BASES = ("gradient", "integrated_gradients")
MEASURES = ("top_k", "kendall", "cosine", "sensitivity")
# On pictures that were found against the gradient: DANCE's search cannot be climbed.
TRANSFERRED = "dance"
Means = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Subjects:
    """Pictures to attack: all of them read right, as in RAR's protocol. numbers: in the split."""

    pictures: NDArray[np.uint8]
    labels: tuple[int, ...]
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, split: Split, right: NDArray[np.bool_], count: int) -> "Subjects":
        """The first `count` pictures that are read right, or as many as there are."""
        chosen = np.flatnonzero(right)[:count]
        labels = tuple(split.labels[chosen].tolist())
        return cls(split.pictures[chosen], labels, tuple(chosen.tolist()))


def explanations(
    network: Network,
    subjects: Subjects,
    attacks: Attacks,
    key: int,
    transferred: bool = True,
    bases: Sequence[str] = BASES,
    aims: Sequence[str] = AIMS,
) -> dict[str, Means]:
    """For each base map and each aim the means of MEASURES over the subjects.

    The attacks of Ghorbani et al. with restarts, each iterate judged as 8-bit picture on the
    network itself. With `transferred` also DANCE's map, on the pictures found against the gradient.
    Undefined values are left out of a mean; nan where all are.
    """
    made: dict[str, Means] = {}
    for base in bases:
        victim = Victim(network, magnitudes(climbable(base, network)))
        found = _attacked(victim, subjects, attacks, key, aims)
        made[base] = {
            aim: _means(_agreements(victim, subjects, each, attacks.k))
            for aim, each in found.items()
        }
        if transferred and base == "gradient":
            made[TRANSFERRED] = {
                aim: _means(_dance_agreements(network, subjects, each, attacks.k))
                for aim, each in found.items()
            }
    return made


def _attacked(
    victim: Victim, subjects: Subjects, attacks: Attacks, key: int, aims: Sequence[str]
) -> Mapping[str, list[Found]]:
    """As `models.evaluation.robustness.attacked`, as many pictures at once as the card's lanes."""
    lanes, found = victim.network.card.lanes, dict[str, list[Found]]()
    for first in range(0, len(subjects.labels), lanes):
        part = slice(first, first + lanes)
        numbers = subjects.numbers[part]
        made = attacked(
            victim, subjects.pictures[part], subjects.labels[part], attacks, key, numbers, aims
        )
        for aim, each in made.items():
            found.setdefault(aim, []).extend(each)
    return found


def _agreements(
    victim: Victim, subjects: Subjects, found: Sequence[Found], k: int
) -> list[Agreement]:
    there = np.stack([each.picture for each in found])
    before, after = (
        scores(victim.network, victim.scores, pictures, subjects.labels)
        for pictures in (subjects.pictures, there)
    )
    quadruples = zip(before, after, subjects.pictures, there, strict=True)
    return [compare(*each, k) for each in quadruples]


def _dance_agreements(
    network: Network, subjects: Subjects, found: Sequence[Found], k: int
) -> list[Agreement]:
    made = []
    for picture, label, each in zip(subjects.pictures, subjects.labels, found, strict=True):
        pair = torch.from_numpy(np.stack([picture, each.picture])).to(network.device, torch.float32)
        maps = magnitude(ATTRIBUTIONS[TRANSFERRED](network, pair, label)).double().cpu().numpy()
        made.append(compare(maps[0], maps[1], picture, each.picture, k))
    return made


def _means(agreements: Sequence[Agreement]) -> dict[str, float]:
    values = {name: np.array([getattr(each, name) for each in agreements]) for name in MEASURES}
    return {
        name: float(np.nanmean(each)) if not np.isnan(each).all() else float("nan")
        for name, each in values.items()
    }
