"""How values lie in memory: as float32, or as its upper half, which is bfloat16."""

from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir

from models.native.emitting import FLOAT, WORD, At


@dataclass(frozen=True)
class Held:
    """element: what lies there. load: it as float32, one or several side by side, of this type.
    pack: what is to be written for such values, which have no more bits than fit."""

    element: ir.Type
    load: Callable[[At, ir.Type], ir.Value]
    pack: Callable[[ir.IRBuilder, ir.Value], ir.Value]


def _unpacked(at: At, type_: ir.Type) -> ir.Value:
    build, wide = at.builder, _like(type_, ir.IntType(32))
    words = build.zext(at.load(_like(type_, WORD)), wide)
    return build.bitcast(build.shl(words, _all(wide, 16)), type_)


def _packed(build: ir.IRBuilder, value: ir.Value) -> ir.Value:
    wide = _like(value.type, ir.IntType(32))
    words = build.lshr(build.bitcast(value, wide), _all(wide, 16))
    return build.trunc(words, _like(value.type, WORD))


def _like(type_: ir.Type, element: ir.Type) -> ir.Type:
    """As many of `element` as there are values of this type."""
    several = isinstance(type_, ir.VectorType)
    return ir.VectorType(element, type_.count) if several else element


def _all(type_: ir.Type, number: int) -> ir.Constant:
    several = isinstance(type_, ir.VectorType)
    return ir.Constant(type_, [number] * type_.count if several else number)


HELD = {
    "float32": Held(FLOAT, lambda at, type_: at.load(type_), lambda _, value: value),
    "bfloat16": Held(WORD, _unpacked, _packed),
}
