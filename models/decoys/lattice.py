"""Where patches lie, and which of them can be moved together without meeting behind a layer.

Patches start every `stride` pixels, also those cut off by the border. Those that start `spacing`
apart form a lattice: no value of the layer sees two of them, so what holds of each alone holds of
all together, and one pass through the network tries them all.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from models.decoys.search import Search
from models.layers import Field

SIGNS = (1, -1)


@dataclass(frozen=True)
class Lattice:
    """The patches of a picture of `side` pixels, as groups: one lattice, one sign each.

    spacing: a multiple of stride; patches that start so far apart are moved together.
    """

    side: int
    patch: int
    stride: int
    spacing: int

    @classmethod
    def of(cls, side: int, search: Search, field: Field | None) -> "Lattice":
        """The lattices of a layer's field; with none, or a large one, of one patch each.

        Values u and u' that see patches at p and p + spacing differ if spacing ≥ size + patch − 1.
        """
        needed = side if field is None else field.size + search.patch - 1
        spacing = -(-min(needed, side) // search.stride) * search.stride
        return cls(side, search.patch, search.stride, spacing)

    @property
    def along(self) -> int:
        """Patches along each side."""
        return -(-self.side // self.stride)

    @property
    def patches(self) -> int:
        """Patches of the picture, numbered row by row."""
        return self.along**2

    @property
    def phases(self) -> int:
        """Lattices along each side."""
        return self.spacing // self.stride

    @property
    def groups(self) -> int:
        """Lattices times signs. Group g has sign SIGNS[g mod 2] and lattice g // 2, row by row."""
        return len(SIGNS) * self.phases**2

    @property
    def slots(self) -> int:
        """The most patches of a lattice along each side."""
        return -(-self.along // self.phases)

    def phase(self, group: int) -> tuple[int, int]:
        """Row and column of the first patch of a group's lattice, in strides."""
        return divmod(group // len(SIGNS), self.phases)

    def members(self, group: int) -> list[tuple[int, int]]:
        """Slot and patch number of each patch of a group, row by row."""
        top, left = self.phase(group)
        return [
            (row * self.slots + column, (top + row * self.phases) * self.along + y)
            for row in range(len(range(top, self.along, self.phases)))
            for column, y in enumerate(range(left, self.along, self.phases))
        ]


class Board:
    """Groups of a lattice laid over pictures and over a layer's values, one group for each picture.

    A patch has a slot, the same number wherever it is spoken of. `signs`: (n, 1, 1, 1). `marks`:
    float32 (n, side, side, 3), 1 where a value is in a patch, else 0. All is laid out value by
    value: products of equal shapes take a tenth of the time of choices by a mask of one channel.
    """

    def __init__(
        self,
        lattice: Lattice,
        groups: Sequence[int],
        field: Field | None,
        plane: tuple[int, int],
        device: torch.device,
    ) -> None:
        self.slots = lattice.slots**2
        signs = [SIGNS[group % len(SIGNS)] for group in groups]
        self.signs = torch.tensor(signs, device=device, dtype=torch.float32).reshape(-1, 1, 1, 1)
        inside, pixels, values = [], [], []
        for group in groups:
            sides = [
                _Side(lattice, phase, field, length)
                for phase, length in zip(lattice.phase(group), plane, strict=True)
            ]
            rows, columns = sides
            inside.append(rows.inside[:, None] & columns.inside)
            pixels.append(rows.pixels[:, None] * lattice.slots + columns.pixels)
            values.append(rows.values[:, None] * lattice.slots + columns.values)
        self.marks = _threefold(torch.stack(inside).float()).to(device)
        self._pixels = torch.stack(pixels).flatten(1).to(device)
        self._places = _threefold(torch.stack(pixels)).flatten(1).to(device)
        self._values = torch.stack(values).flatten(1).to(device)

    def spread(self, of_slots: Tensor) -> Tensor:
        """Numbers of slots (n, slots) to the values nearest to them, (n, side, side, 3)."""
        return of_slots.to(self.marks).gather(1, self._places).reshape(self.marks.shape)

    def rows(self, rows: Sequence[int]) -> "Board":
        """A board of these rows of this one."""
        chosen = copy(self)
        for name in ("signs", "marks", "_pixels", "_places", "_values"):
            setattr(chosen, name, getattr(self, name)[list(rows)])
        return chosen

    def only(self, chosen: Sequence[Sequence[int]]) -> Tensor:
        """1 where a value is in one of the slots chosen of its row, else 0, (n, side, side, 3)."""
        wanted = self.marks.new_zeros(len(chosen), self.slots)
        for row, slots in enumerate(chosen):
            wanted[row, list(slots)] = 1
        return self.spread(wanted) * self.marks

    def worst(self, values: Tensor) -> Tensor:
        """The largest of (n, channels, h, w) over the values nearest to each slot, (n, slots)."""
        nothing = values.new_zeros(len(values), self.slots)
        return nothing.scatter_reduce(1, self._values, values.amax(1).flatten(1), "amax")

    def largest(self, pixels: Tensor) -> Tensor:
        """The largest of (n, side, side, 3) in each slot, none below 0, (n, slots)."""
        kept = (pixels * self.marks).amax(3).flatten(1)
        return kept.new_zeros(len(kept), self.slots).scatter_reduce(1, self._pixels, kept, "amax")

    def total(self, pixels: Tensor) -> Tensor:
        """The sum of whole numbers (n, side, side, 3) over each slot, (n, slots)."""
        red, green, blue = (pixels * self.marks).unbind(3)
        kept = (red + green + blue).flatten(1)
        return kept.new_zeros(len(kept), self.slots).scatter_add(1, self._pixels, kept)


def _threefold(of_pixels: Tensor) -> Tensor:
    """The same for each of three channels: (n, side, side) to (n, side, side, 3)."""
    return of_pixels.unsqueeze(3).expand(-1, -1, -1, 3).contiguous()


class _Side:
    """One side of a board: the pixels inside, and the slot nearest to each pixel and value."""

    def __init__(self, lattice: Lattice, phase: int, field: Field | None, length: int) -> None:
        first, spacing = phase * lattice.stride, lattice.spacing
        last = len(range(phase, lattice.along, lattice.phases)) - 1
        at = torch.arange(lattice.side) - first
        self.pixels = (at // spacing).clamp(0, last)
        self.inside = (at >= 0) & (at - self.pixels * spacing < lattice.patch)
        self.values = torch.zeros(length, dtype=torch.long)
        if field is not None:
            # Between middles, twice over to stay with integers.
            middles = 2 * (field.start + field.jump * torch.arange(length)) + field.size
            apart = middles - 2 * first - lattice.patch
            self.values = ((apart + spacing) // (2 * spacing)).clamp(0, last)
