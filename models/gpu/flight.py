"""Batches in flight: each has a queue and tensors of its own, so that several run at once.

While one is in its pass, the noise of the next is drawn and the votes of the one before are copied.
Nothing passes from one queue to another, so there is nothing to wait for but the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from models.features import magnitude
from models.gpu.hardware import Hardware, Queue, Work
from models.gpu.inputs import Inputs
from models.gpu.tallies import Tally
from models.lanes import Run
from models.passes import Pass


@dataclass(frozen=True, eq=False)
class Slot:
    """Where one batch at a time goes through: input and targets before the pass, magnitudes
    (lanes, height, width) and classes (lanes,) after it."""

    queue: Queue
    input: Tensor
    targets: Tensor
    maps: Tensor
    predicted: Tensor
    passed: Work

    @classmethod
    def of(cls, of: Pass, lanes: int, hardware: Hardware) -> "Slot":
        """A slot of its own queue, made ready by passes of nothing in particular."""
        size, device = of.network.card.size, hardware.device
        shape = (lanes, 3, size, size)
        given = torch.zeros(shape, dtype=of.dtype, device=device)
        given = given.to(memory_format=torch.channels_last)
        targets = torch.zeros(lanes, dtype=torch.int64, device=device)
        maps = torch.empty((lanes, size, size), dtype=torch.float32, device=device)
        predicted = torch.empty(lanes, dtype=torch.int32, device=device)

        def go() -> None:
            signed, logits = of.run(given, targets)
            maps.copy_(magnitude(signed))
            predicted.copy_(logits.argmax(dim=1))

        queue = hardware.queue()
        queue.follow()
        return cls(queue, given, targets, maps, predicted, queue.repeatable(go))


class Flight:
    """Batches of one kind, up to `depth` at once.

    Fewer where memory does not suffice: one slot is made, and as many more as fit into what is free
    at the first one's price. Raises OutOfMemoryError where not even one fits.
    """

    def __init__(self, of: Pass, lanes: int, hardware: Hardware, depth: int) -> None:
        before = hardware.free()
        self.slots = [Slot.of(of, lanes, hardware)]
        after = hardware.free()
        fitting = after // max(1, before - after)
        self._grow(of, lanes, hardware, min(depth, 1 + fitting))

    def _grow(self, of: Pass, lanes: int, hardware: Hardware, depth: int) -> None:
        while len(self.slots) < depth:
            try:
                self.slots.append(Slot.of(of, lanes, hardware))
            except torch.OutOfMemoryError:
                return

    def halve(self) -> bool:
        """Give up every other slot; whether there was one to give up."""
        if len(self.slots) == 1:
            return False
        del self.slots[len(self.slots) // 2 :]
        return True

    def fly(
        self,
        dealt: Sequence[Sequence[Run]],
        starts: Sequence[int],
        targets: Tensor,
        inputs: Inputs,
        tallies: Sequence[Tally[object]],
    ) -> None:
        """Bring all batches through and return when everything is on the host.

        `starts` are the first samples of the pieces; `targets` is (batches, lanes) on the device.
        """

        def prepare(batch: int, slot: Slot) -> None:
            inputs.write(batch, slot.input)
            slot.targets.copy_(targets[batch])

        def take(batch: int, number: int) -> None:
            slot = self.slots[number]
            for run in dealt[batch]:
                first = run.samples.start - starts[run.piece]
                maps, predicted = slot.maps[run.lanes], slot.predicted[run.lanes]
                tallies[run.piece].take(number, first, maps, predicted)

        for slot in self.slots:
            slot.queue.follow()
        try:
            for batch in range(len(dealt)):
                number = batch % len(self.slots)
                slot = self.slots[number]
                slot.queue.submit(partial(prepare, batch, slot))
                slot.queue.submit(slot.passed)
                slot.queue.submit(partial(take, batch, number))
        finally:
            for slot in self.slots:
                slot.queue.wait()
