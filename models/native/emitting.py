"""Functions in LLVM's language, written with arithmetic that reads like arithmetic."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from llvmlite import ir

INT, FLOAT, BYTE, WORD = ir.IntType(64), ir.FloatType(), ir.IntType(8), ir.IntType(16)
INTS, FLOATS, BYTES, WORDS = (each.as_pointer() for each in (INT, FLOAT, BYTE, WORD))


@dataclass(frozen=True)
class Int:
    """A whole number that is known when the code runs."""

    builder: ir.IRBuilder
    value: ir.Value

    def _with(self, operation: str, other: "Int | int") -> "Int":
        right = INT(other) if isinstance(other, int) else other.value
        return Int(self.builder, getattr(self.builder, operation)(self.value, right))

    def __add__(self, other: "Int | int") -> "Int":
        return self._with("add", other)

    def __sub__(self, other: "Int | int") -> "Int":
        return self._with("sub", other)

    def __mul__(self, other: "Int | int") -> "Int":
        return self._with("mul", other)

    def __floordiv__(self, other: "Int | int") -> "Int":
        """The quotient of numbers that are not negative."""
        return self._with("udiv", other)

    def at_most(self, limit: int) -> "Int":
        """This, or the limit where that is less."""
        less = self.builder.icmp_signed("<", self.value, INT(limit))
        return Int(self.builder, self.builder.select(less, self.value, INT(limit)))


@dataclass(frozen=True)
class At:
    """An address in an array."""

    builder: ir.IRBuilder
    value: ir.Value

    def __add__(self, offset: Int | int) -> "At":
        steps = INT(offset) if isinstance(offset, int) else offset.value
        return At(self.builder, self.builder.gep(self.value, [steps]))

    def whole(self) -> Int:
        """The whole number there."""
        return Int(self.builder, self.builder.load(self.value))

    def load(self, type_: ir.Type) -> ir.Value:
        """The value of this type there, which need not be aligned."""
        return self.builder.load(self._as(type_), align=1)

    def store(self, value: ir.Value) -> None:
        """Write the value there."""
        self.builder.store(value, self._as(value.type), align=1)

    def _as(self, type_: ir.Type) -> ir.Value:
        return self.builder.bitcast(self.value, type_.as_pointer())


class Code:
    """One function that is being written."""

    def __init__(self, module: ir.Module, name: str, given: Mapping[str, ir.Type]) -> None:
        self.module = module
        kind = ir.FunctionType(ir.VoidType(), list(given.values()))
        self.function = ir.Function(module, kind, name)
        self.builder = ir.IRBuilder(self.function.append_basic_block())
        self._given = dict(zip(given, self.function.args, strict=True))

    def whole(self, name: str) -> Int:
        """The whole number of this name that is given."""
        return Int(self.builder, self._given[name])

    def at(self, name: str) -> At:
        """The array of this name that is given."""
        return At(self.builder, self._given[name])

    def number(self, value: int) -> Int:
        """A whole number that is known now."""
        return Int(self.builder, INT(value))

    @contextmanager
    def loop(self, start: Int, stop: Int, step: Int | int = 1) -> Iterator[Int]:
        """Run what is written within for start, start + step, … below stop."""
        before = self.builder.block
        head, body, after = (self.function.append_basic_block() for _ in range(3))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        index = self.builder.phi(INT)
        index.add_incoming(start.value, before)
        self.builder.cbranch(self.builder.icmp_signed("<", index, stop.value), body, after)
        self.builder.position_at_end(body)
        yield Int(self.builder, index)
        index.add_incoming((Int(self.builder, index) + step).value, self.builder.block)
        self.builder.branch(head)
        self.builder.position_at_end(after)

    @contextmanager
    def until(self, low: "Variable", high: "Variable") -> Iterator[None]:
        """Run what is written within as long as one is below the other."""
        head, body, after = (self.function.append_basic_block() for _ in range(3))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        below = self.builder.icmp_signed("<", low.get(), high.get())
        self.builder.cbranch(below, body, after)
        self.builder.position_at_end(body)
        yield
        self.builder.branch(head)
        self.builder.position_at_end(after)

    def intrinsic(self, name: str, result: ir.Type, given: Sequence[ir.Value]) -> ir.Value:
        """Run a function that LLVM knows by this name."""
        kind = ir.FunctionType(result, [each.type for each in given])
        known = self.module.globals.get(name)
        return self.builder.call(known or ir.Function(self.module, kind, name), given)

    def call(self, other: "Code", given: Sequence[Int | At]) -> None:
        """Run another function."""
        self.builder.call(other.function, [each.value for each in given])

    def done(self) -> "Code":
        """The function, complete."""
        self.builder.ret_void()
        return self


class Variable:
    """A value that changes as the code runs; it lives in a register wherever one is left."""

    def __init__(self, code: Code, value: ir.Value) -> None:
        self._builder = code.builder
        with self._builder.goto_entry_block():
            self._place = self._builder.alloca(value.type)
        self.set(value)

    def get(self) -> ir.Value:
        """What it is now."""
        return self._builder.load(self._place)

    def set(self, value: ir.Value) -> None:
        """Let it be this from now on."""
        self._builder.store(value, self._place)


def floats(many: int) -> ir.VectorType:
    """The type of so many float32 side by side."""
    return ir.VectorType(FLOAT, many)


def alike(builder: ir.IRBuilder, value: ir.Value, many: int) -> ir.Value:
    """One float32, so many times side by side."""
    none = ir.Constant(floats(many), ir.Undefined)
    first = builder.insert_element(none, value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), many), [0] * many)
    return builder.shuffle_vector(first, none, zeros)


def constant(value: float, many: int) -> ir.Value:
    """A float32 that is known now, so many times side by side."""
    return ir.Constant(floats(many), [value] * many)
