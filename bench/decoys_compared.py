"""One picture, one network, one base map: every arm of `bench.decoys_arms` measured on it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.decoys_arms import ARMS, Arm, Pictures, sources
from bench.planned import fitted
from models.attacks.maps import aggregated, climbable, magnitudes
from models.attacks.plain import Strength, Victim
from models.attribution.bases import ATTRIBUTIONS
from models.decoys.aggregation import AGGREGATIONS
from models.decoys.finding import Finder
from models.decoys.search import Search
from models.evaluation import substitutes
from models.evaluation.agreement import compare
from models.evaluation.curves import deletion, insertion
from models.evaluation.fidelity import fidelity
from models.evaluation.robustness import AIMS, Attacks, attacked
from models.evaluation.scores import magnitude, ranking, shown
from models.evaluation.scoring import log_probability
from models.images import digest
from models.loading import Network

KEY = 0xAFFD0000000000000000000000000004
TOP = 10  # one pixel in so many counts as the top

Map = NDArray[np.float64]
# By arm, by aim, by measure of agreement.
Agreements = dict[str, dict[str, dict[str, float | None]]]


@dataclass(frozen=True)
class Setting:
    """What is measured of one network. layer: that the decoys keep; patch: side and stride;
    adaptive: whether the maps themselves are attacked too; blur: standard deviation in pixels of
    the picture that insertion begins with; pictures: of the folder, all if none is named.
    """

    name: str
    model: str
    layer: str
    patch: int
    photographs: str
    bases: tuple[str, ...]
    adaptive: bool
    bound: int
    blur: float
    strength: Strength
    pictures: tuple[str, ...] = ()


class Unit:
    """One picture, one network, one base map."""

    def __init__(self, setting: Setting, network: Network, base: str, file: Path, number: int):
        self.setting, self.network, self.base, self.number = setting, network, base, number
        self.name = file.stem
        self.picture = fitted(file, network.card)
        self.search = Search("lattice", setting.layer, setting.patch, setting.patch)
        self.attacks = Attacks(
            k=network.card.size**2 // TOP, bound=setting.bound, strength=setting.strength
        )
        clean = torch.from_numpy(self.picture[None]).float()
        self.target = int(network(clean).argmax())

    def measured(self) -> dict[str, Any]:
        """Everything about it, as it goes into the record."""
        pictures = self.sources(self.picture)
        before = self.scores(pictures)
        after = self.transferred(before)
        return {
            "setting": self.setting.name,
            "model": self.setting.model,
            "base": self.base,
            "picture": self.name,
            "image": digest(self.picture),
            "target": self.target,
            "search": asdict(self.search),
            "maps": len(pictures["decoys"]),
            "null": int((pictures["decoys"] == self.picture).all(axis=(1, 2, 3)).sum()),
            "sizes": {name: sizes(self.picture, made) for name, made in pictures.items()},
            "quality": {arm.name: self.quality(before[arm.name]) for arm in ARMS},
            "transfer": {arm.name: after[arm.name] for arm in ARMS},
            "adaptive": self.adapted(pictures, before, after) if self.adaptive else None,
        }

    @property
    def adaptive(self) -> bool:
        """Whether the aggregated maps are attacked themselves: affordable for the gradient only."""
        return self.setting.adaptive and self.base == "gradient"

    def sources(self, picture: Pictures) -> Mapping[str, Pictures]:
        """The pictures of every arm, for the clean picture or an attacked one."""
        found = Finder(self.network, picture, self.search).find()
        decoys = np.concatenate([part.pictures for part in found])
        return sources(picture, decoys, KEY, self.number)

    def scores(self, pictures: Mapping[str, Pictures]) -> dict[str, Map]:
        """The scores (height, width) of every arm."""
        maps = {name: self.maps(made) for name, made in pictures.items()}
        return {arm.name: combined(arm, maps[arm.source]) for arm in ARMS}

    def maps(self, pictures: Pictures) -> NDArray[np.float32]:
        """The signed base map of each picture, `lanes` in each pass."""
        lanes, made = self.network.card.lanes, []
        for first in range(0, len(pictures), lanes):
            part = pictures[first : first + lanes]
            full = np.concatenate([part, np.repeat(part[-1:], lanes - len(part), axis=0)])
            images = torch.from_numpy(full).float()
            maps = ATTRIBUTIONS[self.base].maps(self.network, images, self.target)
            made.append(maps[: len(part)].numpy())
        return np.concatenate(made)

    def quality(self, scores: Map) -> dict[str, float]:
        """Fidelity of what is shown, areas under deletion (to the mean) and insertion (blur)."""
        picture, order = self.picture, ranking(scores)
        score = log_probability(self.network, self.target)
        mean, blurred = substitutes.mean(picture), substitutes.blurred(picture, self.setting.blur)
        return {
            "fidelity": fidelity(score, picture, shown(scores)),
            "deletion": deletion(score, picture, order, mean).area,
            "insertion": insertion(score, picture, order, blurred).area,
        }

    def transferred(self, before: Mapping[str, Map]) -> Agreements:
        """What attacks on the base map do to every arm: arm -> aim -> agreement."""
        victim = Victim(self.network, magnitudes(climbable(self.base, self.network)))
        result: Agreements = {arm.name: {} for arm in ARMS}
        for aim, there in self.found(victim).items():
            after = self.scores(self.sources(there))
            for arm in ARMS:
                result[arm.name][aim] = self.agreement(before[arm.name], after[arm.name], there)
        return result

    def adapted(
        self,
        pictures: Mapping[str, Pictures],
        before: Mapping[str, Map],
        transferred: Agreements,
    ) -> Agreements:
        """What attacks on each arm's own map do to it.

        The offsets of the arm's pictures are held fixed while an attack climbs; the map that is
        compared in the end has decoys searched anew.
        """
        base = climbable(self.base, self.network)
        result: Agreements = {}
        for arm in ARMS:
            if arm.source == "plain":
                result[arm.name] = transferred[arm.name]
                continue
            offsets = torch.from_numpy(pictures[arm.source].astype(np.float32) - self.picture)
            victim = Victim(self.network, magnitudes(aggregated(base, offsets, arm.aggregation)))
            result[arm.name] = {
                aim: self.agreement(before[arm.name], self.one(arm, there), there)
                for aim, there in self.found(victim).items()
            }
        return result

    def one(self, arm: Arm, picture: Pictures) -> Map:
        """The scores of one arm."""
        return combined(arm, self.maps(self.sources(picture)[arm.source]))

    def found(self, victim: Victim) -> dict[str, Pictures]:
        """The best attacked picture of each aim."""
        clean, targets = self.picture[None], [self.target]
        found = attacked(victim, clean, targets, self.attacks, KEY, [self.number])
        return {aim: found[aim][0].picture for aim in AIMS}

    def agreement(self, before: Map, after: Map, there: Pictures) -> dict[str, float | None]:
        """How two maps agree, None where that is undefined."""
        found = asdict(compare(before, after, self.picture, there, self.attacks.k))
        return {name: None if math.isnan(value) else value for name, value in found.items()}


def combined(arm: Arm, maps: NDArray[np.float32]) -> Map:
    """An arm's scores from its base maps."""
    return magnitude(AGGREGATIONS[arm.aggregation](maps))


def sizes(picture: Pictures, others: Pictures) -> dict[str, float]:
    """Mean ℓ1 and ℓ∞ of the changes, in grey levels."""
    changes = np.abs(others.astype(np.int64) - picture).reshape(len(others), -1)
    return {"l1": float(changes.sum(axis=1).mean()), "linf": float(changes.max(axis=1).mean())}
