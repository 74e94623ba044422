"""Pieces of work in, evidence out, many batches in flight: the bytes of `models.sampling`."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify.evidence import Evidence
from certify.plan import Plan
from models.decoys.dancer import Dancer
from models.gpu.flight import Flight
from models.gpu.hardware import Cuda, Hardware
from models.gpu.inputs import Dealt, Fused, Inputs, Plain, kernel
from models.gpu.tallies import Places, Points, Scores, Tally, Votes
from models.lanes import Company, Piece, Said, batches, company
from models.loading import Network
from models.passes import Pass, passing
from models.registry import Card
from models.sampling import Look, Sampler
from models.tallies import Result

Way = Callable[[Sequence[Piece], Dealt, Pass], Inputs]
DEPTH = 2  # batches in flight
KINDS = 4  # of batches whose flights are kept ready: each holds memory

log = logging.getLogger(__name__)


class GpuSampler:
    """A sampler whose noise, votes and sums are made on the device, several batches at a time.

    The first batch of each kind is drawn by `sampler` too. Where the evidence differs, or something
    fails that is not memory, the next way is tried, and when there is none `sampler` does the work:
    no machine gives other evidence because of what it can do. `ways` are the ways to write input,
    best first.
    """

    def __init__(
        self,
        sampler: Sampler,
        hardware: Hardware | None = None,
        ways: Sequence[Way] | None = None,
        depth: int = DEPTH,
    ) -> None:
        self._sampler = sampler
        self._hardware = hardware or Cuda(sampler.network.device)
        self._ways = default_ways(self._hardware.device) if ways is None else ways
        self._depth = depth
        self._flights: dict[Company, Flight] = {}
        self._chosen: dict[Company, Way | None] = {}

    @property
    def card(self) -> Card:
        """The network's card."""
        return self._sampler.card

    @property
    def network(self) -> Network:
        """The network, in float32."""
        return self._sampler.network

    @property
    def dancer(self) -> Dancer:
        """Decoys of the network."""
        return self._sampler.dancer

    def look(
        self,
        image: NDArray[np.uint8],
        target: int | None = None,
        attribution: str = "gradient",
        precision: str = "float32",
    ) -> Look:
        """See `Sampler.look`."""
        return self._sampler.look(image, target, attribution, precision)

    def draw(self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int) -> Evidence:
        """See `Sampler.draw`."""
        return self._alone(Piece(plan, image, start, stop), self._ballot, self._sampler.draw)

    def together(self, pieces: Sequence[Piece]) -> list[Said]:
        """See `Sampler.together`."""
        way = self._way(pieces)
        if way is None:
            return self._sampler.together(pieces)
        return self._flown(pieces, self._tally, way)

    def rank(
        self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """See `Sampler.rank`."""
        return self._alone(Piece(plan, image, start, stop), self._ranks, self._sampler.rank)

    def average(
        self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
    ) -> NDArray[np.float64]:
        """See `Sampler.average`."""
        return self._alone(Piece(plan, image, start, stop), Scores, self._sampler.average)

    def depth(self, plan: Plan) -> int:
        """How many batches of such a plan are in flight; 0 before the first, or where none are."""
        flight = self._flights.get(company(plan))
        return 0 if flight is None else len(flight.slots)

    def _tally(self, piece: Piece) -> Tally[Said]:
        return Scores(piece) if piece.summed else self._ballot(piece)

    def _ballot(self, piece: Piece) -> Tally[Evidence]:
        kind = Votes if piece.plan.votes_only else Points
        return kind(piece, self._hardware)

    def _ranks(self, piece: Piece) -> Places:
        return Places(piece, self._hardware)

    def _alone(
        self, piece: Piece, make: Callable[[Piece], Tally[Result]], plain: Callable[..., Result]
    ) -> Result:
        """What such a tally says of one piece; `plain` is the plain sampler's way to it."""
        way = self._way((piece,))
        if way is None:
            return plain(piece.plan, piece.image, piece.start, piece.stop)
        return self._flown((piece,), make, way)[0]

    def _way(self, pieces: Sequence[Piece]) -> Way | None:
        """The way that was found for pieces of this kind; None where the plain sampler is to do
        them, which costs nothing where there are no samples."""
        self._sampler.check(pieces)
        piece = next((each for each in pieces if each.start < each.stop), None)
        if piece is None:
            return None
        kind = company(piece.plan)
        if kind not in self._chosen:
            self._chosen[kind] = self._agreeing(piece)
        return self._chosen[kind]

    def _agreeing(self, piece: Piece) -> Way | None:
        """The first way whose evidence of one batch is the plain sampler's."""
        few = replace(piece, stop=min(piece.stop, piece.start + piece.plan.recipe.lanes))
        wanted = self._sampler.draw(few.plan, few.image, few.start, few.stop)
        for way in self._ways:
            try:
                (found,) = self._flown((few,), self._ballot, way)
            except torch.OutOfMemoryError:
                raise
            # Whatever a compiler or a driver may raise: the plain sampler can do without them.
            except Exception as error:
                log.warning("%s does not work here: %s: %s", way, type(error).__name__, error)
                continue
            if found.digest() == wanted.digest():
                return way
            log.warning("%s gives other evidence than models.sampling; it is not used", way)
        return None

    def _flown(
        self, pieces: Sequence[Piece], make: Callable[[Piece], Tally[Result]], way: Way
    ) -> list[Result]:
        """What the tallies of all pieces say; all anew with fewer batches in flight if memory runs
        out."""
        kind, recipe = company(pieces[0].plan), pieces[0].plan.recipe
        dealt = list(batches([range(each.start, each.stop) for each in pieces], recipe.lanes))
        of = passing(self._sampler.at(recipe.precision), recipe.attribution)
        while True:
            tallies = [make(piece) for piece in pieces]
            try:
                targets = _targets(pieces, dealt, recipe.lanes).to(self._hardware.device)
                inputs = way(pieces, dealt, of)
                starts = [piece.start for piece in pieces]
                self._flight(kind, of, recipe.lanes).fly(dealt, starts, targets, inputs, tallies)
                return [each.result() for each in tallies]
            except torch.OutOfMemoryError:
                if not self._spare(kind):
                    raise
            # Only now is the traceback gone, and with it what the failed try had taken.
            tallies.clear()
            self._hardware.relieve()

    def _flight(self, kind: Company, of: Pass, lanes: int) -> Flight:
        """The flight of this kind, made when it is first needed; the one unused longest gives way
        to a new one."""
        flight = self._flights.pop(kind, None)
        if flight is None:
            while len(self._flights) >= KINDS:
                del self._flights[next(iter(self._flights))]
            flight = Flight(of, lanes, self._hardware, self._depth)
        self._flights[kind] = flight
        return flight

    def _spare(self, kind: Company) -> bool:
        """Give up the flights of other kinds, else half of this one's; whether anything was."""
        others = [each for each in self._flights if each != kind]
        for each in others:
            del self._flights[each]
        return bool(others) or (kind in self._flights and self._flights[kind].halve())


def opened(network: Network) -> Sampler | GpuSampler:
    """Return the sampler for the device that the network is on."""
    sampler = Sampler(network)
    return sampler if network.device.type == "cpu" else GpuSampler(sampler)


def default_ways(device: torch.device) -> tuple[Way, ...]:
    """The fused kernel on a GPU where Triton is installed, then torch."""
    write = None if device.type == "cpu" else kernel()
    return (Plain,) if write is None else (partial(Fused, write=write), Plain)


def _targets(pieces: Sequence[Piece], dealt: Dealt, lanes: int) -> Tensor:
    """The class that each lane's map is about, (batches, lanes) int64."""
    targets = torch.zeros((len(dealt), lanes), dtype=torch.int64)
    for row, runs in zip(targets, dealt, strict=True):
        for run in runs:
            row[run.lanes] = pieces[run.piece].plan.target
    return targets
