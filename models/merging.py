"""A network whose convolutions run in chains of steps, which take in kinks and zeros at borders.

Chains are native code (`models.native`), or, where they cannot be and for bfloat16 where the
processor has instructions for it but none for its matrices, oneDNN's.

The names of layers stay; a chain stands where its first convolution stood, and what it has taken in
is nn.Identity. The weights are those of the network itself; made anew are only the kernels that
lead back and those that hold zeros, once at load. So weights that change later are not followed.
"""

import copy
import logging
from collections.abc import Sequence
from itertools import chain, groupby
from typing import TypeGuard

import torch
from torch import nn

from models.lines import Place, lines
from models.native.chain import NativeChain
from models.native.ends import NativeLinear
from models.native.link import fits, suits
from models.steps import KINKS, NONE, Chain, Step, can, plain
from models.trust import distrust

_log = logging.getLogger(__name__)


def merged(
    module: nn.Module, side: int, apart: str | None = None, native: bool = True
) -> nn.Module:
    """Return the network in steps, for the processor.

    `module` is frozen and takes (n, 3, side, side). The layer named `apart`, which somebody will
    look at, gives what it gave. native: False leaves all steps to oneDNN. Returns `module` itself,
    and logs why, where both do not agree on a picture: nothing rests on steps alone.
    """
    made = _shared(module)
    for line in list(lines(made)):
        for _, part in groupby(line, lambda place: place.within(apart)):
            _merge(list(part), native)
    if native:
        _linear(made)
    if not any(isinstance(part, Chain) for part in made.modules()):
        return module
    reason = distrust(module, made, side)
    if reason is None:
        return made
    _log.warning("The network runs layer by layer, which is slower: %s", reason)
    return module


def _shared(module: nn.Module) -> nn.Module:
    """A copy of the modules over the same tensors."""
    tensors = chain(module.parameters(), module.buffers())
    return copy.deepcopy(module, {id(each): each for each in tensors})


def _merge(places: Sequence[Place], native: bool) -> None:
    """Put chains of steps where convolutions were, and identities where what they took in was."""
    layers, kinds = _busy(places), dict[Place, type[Chain]]()
    for before, place, after in zip((None, *layers), layers, (*layers[1:], None), strict=False):
        layer = place.layer
        if isinstance(layer, nn.Conv2d) and (kind := _kind(layer, native)) is not None:
            place.put(_step(before, layer, after, kind))
            kinds[place] = kind
    for chained, part in groupby(_busy(places), kinds.get):
        if chained is not None:
            first, *others = part
            first.put(chained([place.layer for place in (first, *others)]))  # type: ignore[misc]
            for place in others:
                place.put(nn.Identity())


def _kind(layer: nn.Conv2d, native: bool) -> type[Chain] | None:
    """The kind of chain that a convolution can be a step of; None where it stays a layer."""
    if native and plain(layer) and fits(layer):
        return NativeChain
    return Chain if can(layer) else None


def _linear(module: nn.Module) -> None:
    """Let native code compute linear layers too."""
    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if type(layer) is nn.Linear and suits(layer.weight):
                setattr(parent, name, NativeLinear(layer))


def _busy(places: Sequence[Place]) -> list[Place]:
    return [place for place in places if not isinstance(place.layer, nn.Identity)]


def _step(before: Place | None, layer: nn.Conv2d, after: Place | None, kind: type[Chain]) -> Step:
    """The step of a convolution, with what it takes in of its neighbours."""
    kink = NONE if after is None else KINKS.get(type(after.layer), NONE)
    if after is not None and kink is not NONE:
        after.put(nn.Identity())
    if before is None or not _widens(before.layer, layer, kind):
        return Step(layer, kink)
    left, right, *_ = before.layer.padding
    layer = _widened(before.layer, layer)
    before.put(nn.Identity())
    return Step(layer, kink, empty=right - left)


def _widens(zeros: nn.Module, layer: nn.Conv2d, kind: type[Chain]) -> TypeGuard[nn.ZeroPad2d]:
    """Whether a larger kernel is the quicker way to zeros: it is where channels stay apart, and for
    native code, which leaves out what is zero."""
    if not isinstance(zeros, nn.ZeroPad2d):
        return False
    left, right, top, bottom = zeros.padding
    fits = (left, right) == (top, bottom) and 0 <= left <= right
    quick = kind is NativeChain or layer.groups == layer.in_channels
    return fits and quick and layer.padding == (0, 0) and layer.dilation == (1, 1)


def _widened(zeros: nn.ZeroPad2d, layer: nn.Conv2d) -> nn.Conv2d:
    """The convolution with the zeros within: as many in front as behind, and as many more zeros in
    front of the kernel, so that it reaches no further than before."""
    left, right, *_ = zeros.padding
    kernel = nn.functional.pad(layer.weight.detach(), (right - left, 0, right - left, 0))
    made = copy.copy(layer)
    made._parameters = dict(layer._parameters)
    made.weight = nn.Parameter(kernel.contiguous(memory_format=torch.channels_last), False)
    made.kernel_size, made.padding = tuple(kernel.shape[2:]), (right, right)
    return made
