"""DANCE: how far a map moves over the decoys of a picture.

Z = max − min over the decoys of a signed base map of one fixed class. Where the base map does not
depend on the picture, as the gradient of a linear network, Z is 0: there is nothing to see.

Reference: Lu, Guo, Xing, Noble (2021), "DANCE: Enhancing saliency maps using decoys", ICML 2021.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.attribution.bases import ATTRIBUTIONS, Maps
from models.decoys.finding import Decoys, Finder
from models.decoys.part import Part
from models.decoys.records import Records
from models.decoys.search import BASES, Search
from models.loading import Network

Report = Callable[[int, int], None]


def base(name: str) -> Maps:
    """The base map of this name. Raises ValueError where it is none of BASES."""
    if name not in BASES:
        raise ValueError(f"base is {name!r}; it must be one of {', '.join(BASES)}")
    return ATTRIBUTIONS[name].maps


def contribution(
    network: Network, finder: Finder, maps: Maps, target: int, start: int, stop: int
) -> Part:
    """What the decoys from place `start` to `stop` in the finder's order contribute."""
    return explained(network, finder.find(start, stop), maps, target)


def explained(network: Network, found: Iterable[Decoys], maps: Maps, target: int) -> Part:
    """What decoys that were found contribute.

    The network sees exactly `lanes` pictures in each pass, spare lanes hold a decoy again, so that
    parts do not depend on the range and merge to the same bits however it is cut.
    """
    side, lanes = network.card.size, network.card.lanes
    highest = torch.full((side, side, 3), -torch.inf, device=network.device)
    lowest, records = -highest, []
    for decoys in filled(found, lanes):
        pictures = torch.from_numpy(decoys.pictures).to(network.device, torch.float32)
        full = torch.cat([pictures, pictures[-1:].expand(lanes - len(pictures), -1, -1, -1)])
        scores = maps(network, full, target)
        highest = torch.maximum(highest, scores.amax(0))
        lowest = torch.minimum(lowest, scores.amin(0))
        records.append(decoys.records)
    return Part(_array(highest), _array(lowest), Records.merged(records))


def filled(found: Iterable[Decoys], lanes: int) -> Iterator[Decoys]:
    """The same decoys, as many at a time as come nearest to the lanes from below."""
    waiting: list[Decoys] = []
    for decoys in found:
        if sum(len(each.pictures) for each in (*waiting, decoys)) > lanes:
            yield Decoys.merged(waiting)
            waiting = []
        waiting.append(decoys)
    if waiting:
        yield Decoys.merged(waiting)


def dance(
    network: Network,
    picture: NDArray[np.uint8],
    target: int,
    search: Search,
    base_map: str = "gradient",
    report: Report = lambda done, total: None,
) -> Part:
    """The range of a base map over all decoys of a picture.

    `report` hears how many decoys of how many are done.
    """
    finder, maps = Finder(network, picture, search), base(base_map)
    parts, lanes = [], network.card.lanes
    for start in range(0, finder.count, lanes):
        stop = min(start + lanes, finder.count)
        parts.append(contribution(network, finder, maps, target, start, stop))
        report(stop, finder.count)
    return Part.merged(parts)


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.cpu().numpy()
