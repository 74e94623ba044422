"""A map by DANCE over a pool: look what it takes, hand out the decoys, merge what comes."""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.decoys.part import Part
from models.registry import Card
from service.decoys.orders import Dancing, count_rule
from service.decoys.results import DecoyProgress
from service.pool.messages import Array, Dance, Danced, Request, Seek, Sought
from service.pool.pools import Picture, Pool, WorkFailed
from service.problems import refuse


@dataclass(frozen=True, eq=False)
class Range:
    """A finished range over decoys: what the search said of itself, and all parts merged."""

    sought: Sought
    part: Part

    @property
    def map(self) -> NDArray[np.float64]:
        """The range, its largest over channels, (side, side); what is not finite counts as 0."""
        return np.asarray(self.part.range.max(axis=2))


@dataclass(frozen=True, eq=False)
class Subject:
    """Of which picture, by which network, about which class and base map."""

    card: Card
    picture: Picture
    target: int
    attribution: str


async def dance(
    pool: Pool, asked: Dancing, subject: Subject
) -> AsyncGenerator[DecoyProgress | Range, None]:
    """Progress after every part, then the range.

    Raises ProblemError where it takes more decoys than are allowed.
    """
    began, picture = time.monotonic(), Array.of(subject.picture)
    sought = await _sought(pool, Seek(subject.card.name, picture, asked.search, 0))
    if faults := count_rule(asked, sought.count):
        raise refuse("invalid-parameters", *faults)
    parts: list[Part] = []
    async with aclosing(pool.answers(_pieces(asked, subject, picture, sought.count))) as answers:
        async for _, reply in answers:
            if not isinstance(reply, Danced):
                raise WorkFailed(f"expected a part of a map, got {type(reply).__name__}")
            parts = [Part.merged([*parts, reply.part()])]
            seconds = round(time.monotonic() - began, 3)
            yield DecoyProgress(decoys=len(parts[0].records), total=sought.count, seconds=seconds)
    if asked.shown:
        sought = await _sought(pool, Seek(subject.card.name, picture, asked.search, asked.shown))
    yield Range(sought, parts[0])


async def _sought(pool: Pool, request: Seek) -> Sought:
    async with aclosing(pool.answers(iter([request]))) as answers:
        _, reply = await anext(answers)
    if not isinstance(reply, Sought):
        raise WorkFailed(f"expected the outlook of a search, got {type(reply).__name__}")
    return reply


def _pieces(asked: Dancing, subject: Subject, picture: Array, count: int) -> Iterator[Request]:
    """As many decoys in each message as the network sees at once: a few seconds of work."""
    lanes = subject.card.lanes
    for start in range(0, count, lanes):
        stop = min(start + lanes, count)
        model, target, base = subject.card.name, subject.target, subject.attribution
        yield Dance(model, picture, target, asked.search, base, start, stop)
