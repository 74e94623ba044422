"""From attribution maps to features and from features to votes, on any device."""

import torch
from torch import Tensor


def magnitude(maps: Tensor) -> Tensor:
    """Return |maps|, (n, height, width): the largest over channels where there are channels."""
    return maps.abs().amax(dim=3) if maps.dim() == 4 else maps.abs()


def pool(maps: Tensor, cell: int) -> Tensor:
    """Return the mean of each cell×cell square of (n, height, width) maps as (n, features).

    Features are numbered row by row. Scores that are not finite become 0: what enters a certificate
    must be a fixed function of the noisy picture, whatever the network does.
    Raises ValueError where `cell` does not divide both sides.
    """
    count, height, width = maps.shape
    if cell < 1 or height % cell or width % cell:
        raise ValueError(f"cell is {cell}; it must divide the map's {height}×{width} pixels")
    features = height // cell * (width // cell)
    scores = torch.nn.functional.avg_pool2d(maps.unsqueeze(1), cell).reshape(count, features)
    return torch.where(scores.isfinite(), scores, 0.0)


def vote(scores: Tensor, votes: int) -> Tensor:
    """Return which are the `votes` largest of each row of finite (n, features) scores, as booleans.

    Exactly `votes` per row; among equal scores the lower feature index goes first. Everything above
    the votes-th largest value is in, and equals of it fill what is left.
    """
    features = scores.shape[1]
    if not 1 <= votes <= features:
        raise ValueError(f"votes is {votes}; it must be between 1 and the {features} features")
    last = scores.topk(votes, dim=1, sorted=False).values.amin(dim=1, keepdim=True)
    above, equal = scores > last, scores == last
    room = votes - above.sum(dim=1, keepdim=True)
    return above | (equal & (equal.cumsum(dim=1) <= room))


def rank(scores: Tensor) -> Tensor:
    """Return each feature's place in its row of finite (n, features) scores, 0 for the largest.

    Among equal scores the lower feature index goes first, so `rank(scores) < votes` is `vote`.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    places = torch.arange(scores.shape[1], device=scores.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)
