"""Where the layers of a network stand, and which are applied one after another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, eq=False)
class Place:
    """Where one layer stands."""

    parent: nn.Module
    name: str
    path: str

    @property
    def layer(self) -> nn.Module:
        """What stands there."""
        return self.parent.get_submodule(self.name)

    def put(self, layer: nn.Module) -> None:
        """Let this layer stand there instead."""
        setattr(self.parent, self.name, layer)

    def within(self, path: str | None) -> bool:
        """Whether it is the layer of this path, or in it."""
        return path is not None and f"{self.path}.".startswith(f"{path}.")


def lines(module: nn.Module, path: str = "") -> Iterator[list[Place]]:
    """Layers that are applied one after another, the values of each seen by the next alone.

    Those of an nn.Sequential, and those that a module names as its `line`.
    """
    names = tuple(module._modules) if _plain(module) else getattr(type(module), "line", ())
    line = list(_flat(module, names, path))
    yield line
    for place in line:
        yield from lines(place.layer, f"{place.path}.")
    for name, child in module.named_children():
        if name not in names:
            yield from lines(child, f"{path}{name}.")


def _plain(module: nn.Module) -> bool:
    """Whether it applies its layers and does nothing else: subclasses may have a forward of their
    own."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _flat(module: nn.Module, names: Sequence[str], path: str) -> Iterator[Place]:
    for name in names:
        child = module.get_submodule(name)
        if _plain(child):
            yield from _flat(child, tuple(child._modules), f"{path}{name}.")
        else:
            yield Place(module, name, path + name)
