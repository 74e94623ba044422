"""The states of a job and every change between them that there is."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

State = Literal["queued", "running", "done", "failed", "cancelled"]

# A job goes on where its evidence ends: running → queued when its process stops, running → running
# when that died and another takes over.
CHANGES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        "queued": frozenset({"running", "cancelled"}),
        "running": frozenset({"queued", "running", "done", "failed", "cancelled"}),
        "done": frozenset(),
        "failed": frozenset(),
        "cancelled": frozenset(),
    }
)
FINAL: frozenset[State] = frozenset(state for state, then in CHANGES.items() if not then)


def before(state: State) -> tuple[State, ...]:
    """The states that a job may come from into this one."""
    return tuple(one for one, then in CHANGES.items() if state in then)
