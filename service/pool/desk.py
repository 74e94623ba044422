"""What answers a message: loaded networks by name, one request at a time, no process and no socket.

A worker process runs a Desk behind a socket, a LocalPool runs one in a thread, tests run one
directly. Every request gets a reply; nothing that a request holds can raise out of `answer`.
"""

import gc
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from certify.evidence import Evidence
from certify.plan import Plan
from models.decoys.part import Part
from models.decoys.search import Search
from models.lanes import Piece, Said
from models.registry import UnknownModel
from models.weights import WeightsError
from service.pool.messages import (
    Array,
    Average,
    Averaged,
    Dance,
    Danced,
    Draw,
    Drawn,
    DrawnTogether,
    Failure,
    Look,
    Looked,
    Ping,
    Ready,
    Reply,
    Request,
    Sampled,
    Seek,
    Sought,
    Together,
    typed,
)

Picture = NDArray[np.uint8]
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")


class Seen(Protocol):
    """What looking at one clean picture gives; see `models.sampling`."""

    @property
    def probabilities(self) -> NDArray[np.float32]: ...
    @property
    def target(self) -> int: ...
    @property
    def map(self) -> NDArray[np.float32]: ...


class Outlook(Protocol):
    """What a search for decoys will give; see `models.decoys.dancer`."""

    @property
    def count(self) -> int: ...
    @property
    def deviation(self) -> float: ...
    @property
    def limit(self) -> float: ...
    @property
    def pictures(self) -> Picture: ...


class Dancer(Protocol):
    """Decoys of a loaded network, and ranges over them; see `models.decoys.dancer`."""

    def outlook(self, image: Picture, search: Search, shown: int) -> Outlook: ...
    def part(
        self, image: Picture, target: int, search: Search, base_map: str, start: int, stop: int
    ) -> Part: ...


class Sampler(Protocol):
    """What a loaded network can do; see `models.sampling`."""

    def look(
        self, image: Picture, target: int | None, attribution: str, precision: str
    ) -> Seen: ...
    def draw(self, plan: Plan, image: Picture, start: int, stop: int) -> Evidence: ...
    def together(self, pieces: Sequence[Piece]) -> list[Said]: ...
    def average(self, plan: Plan, image: Picture, start: int, stop: int) -> NDArray[np.float64]: ...
    @property
    def dancer(self) -> Dancer: ...


@dataclass(frozen=True)
class Device:
    """What a desk asks of the device itself. pulse: a round trip through it, which raises if it
    does not work. relieve: give back memory that is only held in reserve."""

    pulse: Callable[[], None] = lambda: None
    relieve: Callable[[], None] = lambda: None


class Desk:
    """Answers requests. `load` opens a model by name, and raises UnknownModel for a name it
    lacks and WeightsError for weights that are not here.

    A ValueError of a sampler is its way of saying that plan, picture and model do not agree.
    """

    def __init__(
        self,
        load: Callable[[str], Sampler],
        *,
        device: str,
        threads: int,
        hardware: Device | None = None,
    ) -> None:
        self._load = load
        self._samplers: dict[str, Sampler] = {}
        self._device = device
        self._threads = threads
        self._hardware = hardware or Device()

    def ready(self) -> Ready:
        """Where this desk computes and which models it has loaded."""
        return Ready(os.getpid(), self._device, self._threads, tuple(sorted(self._samplers)))

    def answer(self, request: Request) -> Reply:
        """The reply, or a Failure: `refused` for a contradiction, `unavailable` for a model whose
        weights are not here, `memory` for too little of it, `error` for everything else."""
        try:
            return self._perform_in_memory(request)
        except (ValueError, UnknownModel) as error:
            return Failure("refused", str(error))
        except WeightsError as error:
            return Failure("unavailable", str(error))
        except Exception as error:
            if is_memory(error):
                return Failure("memory", f"too little memory on {self._device}")
            traceback.print_exc(file=sys.stderr)
            return Failure("error", f"{type(error).__name__}: {error}")

    def _perform_in_memory(self, request: Request) -> Reply:
        """The reply, tried again with the other models put aside if memory runs out."""
        try:
            return self._perform(request)
        except Exception as error:
            if not is_memory(error) or isinstance(request, Ping):
                raise
        # Outside of the handler, whose traceback holds on to what the failed try had taken.
        needed = _model(request)
        self._samplers = {name: s for name, s in self._samplers.items() if name == needed}
        gc.collect()
        self._hardware.relieve()
        return self._perform(request)

    def _perform(self, request: Request) -> Reply:
        if isinstance(request, Ping):
            self._hardware.pulse()
            return self.ready()
        if isinstance(request, Together):
            return self._together(request)
        image = typed(request.image, np.uint8)
        if isinstance(request, Seek | Dance):
            return _danced(self._sampler(request.model).dancer, request, image)
        if isinstance(request, Look):
            sampler, how = self._sampler(request.model), (request.attribution, request.precision)
            seen = sampler.look(image, request.target, *how)
            return Looked(Array.of(seen.probabilities), seen.target, Array.of(seen.map))
        plan, start, stop = request.plan, request.start, request.stop
        sampler = self._sampler(plan.model)
        if isinstance(request, Draw):
            return Drawn.of(sampler.draw(plan, image, start, stop))
        return Averaged(Array.of(sampler.average(plan, image, start, stop)))

    def _together(self, request: Together) -> Reply:
        said = self._sampler(_model(request)).together([_piece(part) for part in request.parts])
        return DrawnTogether(tuple(_part(each) for each in said))

    def _sampler(self, model: str) -> Sampler:
        if model not in self._samplers:
            self._samplers[model] = self._load(model)
        return self._samplers[model]


def _model(request: Look | Sampled | Together | Seek | Dance) -> str:
    """The network that a request needs. Parts together are of one; the sampler sees to it."""
    if isinstance(request, Together):
        return request.parts[0].plan.model
    return request.plan.model if isinstance(request, Sampled) else request.model


def _piece(part: Sampled) -> Piece:
    image, summed = typed(part.image, np.uint8), isinstance(part, Average)
    return Piece(part.plan, image, part.start, part.stop, summed)


def _part(said: Said) -> Drawn | Averaged:
    return Drawn.of(said) if isinstance(said, Evidence) else Averaged(Array.of(said))


def _danced(dancer: Dancer, request: Seek | Dance, image: Picture) -> Reply:
    if isinstance(request, Seek):
        found = dancer.outlook(image, request.search, request.shown)
        return Sought(found.count, found.deviation, found.limit, Array.of(found.pictures))
    target, base = request.target, request.attribution
    return Danced.of(dancer.part(image, target, request.search, base, request.start, request.stop))


def is_memory(error: Exception) -> bool:
    """Whether an exception says that memory ran out; torch has several ways of saying so."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in OUT_OF_MEMORY)
