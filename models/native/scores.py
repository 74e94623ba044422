"""From maps with channels to the scores of cells as native code: one way through memory.

The numbers that `models.features` gives, bit for bit: a maximum is exact, and the pixels of a cell
are added row by row, one after another, and their sum divided, as torch's average does.
"""

from functools import cache

import torch
from llvmlite import ir
from torch import Tensor

from models.native.compiling import Function, available, compiled
from models.native.emitting import FLOAT, FLOATS, INT, Code, Int, Variable

ABREAST = 16
BITS = ir.IntType(32)
# What is left of a float32 without its sign, and of that what infinities and NaNs have whole.
UNSIGNED, EXPONENT = 0x7FFFFFFF, 0x7F800000
# The maps, room for the magnitudes of one row, where scores go; how many maps, and their sides.
GIVEN: dict[str, ir.Type] = {
    "maps": FLOATS,
    "row": FLOATS,
    "into": FLOATS,
    "many": INT,
    "height": INT,
    "width": INT,
    "cell": INT,
}


def fits(maps: Tensor) -> bool:
    """Whether these are maps with channels that lie as native code reads them."""
    known = maps.device.type == "cpu" and maps.dtype == torch.float32 and maps.dim() == 4
    lie = maps.is_contiguous() and maps.shape[-1:] > (0,)
    return known and lie and available() and not maps.requires_grad


def scores(maps: Tensor, cell: int) -> Tensor:
    """Return the mean over each cell of the magnitudes, (n, features), of maps that fit.

    Raises ValueError for other maps and for cells that do not divide their sides: native code would
    read whatever lies there.
    """
    if not fits(maps) or cell < 1 or maps.shape[1] % cell or maps.shape[2] % cell:
        rule = "they must be float32 without gaps, (n, height, width, channels), in whole cells"
        raise ValueError(f"maps are {maps.dtype} {tuple(maps.shape)}, cell is {cell}; {rule}")
    many, height, width, channels = maps.shape
    features = height // cell * (width // cell)
    row = torch.empty(width, dtype=torch.float32, device="cpu")
    found = torch.zeros(many, features, dtype=torch.float32, device="cpu")
    arrays = (each.data_ptr() for each in (maps, row, found))
    scoring(channels)(*arrays, many, height, width, cell)
    return found


@cache
def scoring(channels: int) -> Function:
    """The function of `GIVEN` for maps of so many channels. Scores must be 0 before."""
    module = ir.Module("scores")
    code = Code(module, "scores", GIVEN)
    height, width, cell = (code.whole(name) for name in ("height", "width", "cell"))
    columns = width // cell
    features = height // cell * columns
    with code.loop(code.number(0), code.whole("many")) as picture:
        with code.loop(code.number(0), height) as line:
            _magnitudes(code, (picture * height + line) * width, channels)
            first = picture * features + line // cell * columns
            with code.loop(code.number(0), columns) as column:
                _add(code, first + column, column * cell, cell)
        with code.loop(picture * features, (picture + 1) * features) as feature:
            _mean(code, feature, cell * cell)
    code.done()
    return compiled(module, "scores", GIVEN)


def _magnitudes(code: Code, start: Int, channels: int) -> None:
    """One row: the largest of each pixel's channels without signs. As whole numbers they have the
    order of their values, and NaN is above all."""
    width = code.whole("width")
    whole = width // ABREAST * ABREAST
    for low, high, many in ((code.number(0), whole, ABREAST), (whole, width, 1)):
        with code.loop(low, high, many) as pixel:
            values = code.at("maps") + (start + pixel) * channels
            bits = values.load(ir.VectorType(BITS, many * channels))
            (code.at("row") + pixel).store(_largest(code.builder, bits, many, channels))


def _largest(build: ir.IRBuilder, bits: ir.Value, many: int, channels: int) -> ir.Value:
    """The largest of the channels of so many pixels side by side."""
    unsigned = build.and_(bits, ir.Constant(bits.type, [UNSIGNED] * (many * channels)))
    none, found = ir.Constant(bits.type, ir.Undefined), None
    for channel in range(channels):
        places = [channel + channels * each for each in range(many)]
        mask = ir.Constant(ir.VectorType(BITS, many), places)
        one = build.shuffle_vector(unsigned, none, mask)
        more = None if found is None else build.icmp_signed(">", one, found)
        found = one if more is None else build.select(more, one, found)
    return found


def _add(code: Code, feature: Int, start: Int, cell: Int) -> None:
    """Add so many magnitudes of the row to a score, from one on."""
    build, place = code.builder, code.at("into") + feature
    total = Variable(code, place.load(FLOAT))
    with code.loop(start, start + cell) as pixel:
        total.set(build.fadd(total.get(), (code.at("row") + pixel).load(FLOAT)))
    place.store(total.get())


def _mean(code: Code, feature: Int, pixels: Int) -> None:
    """A sum becomes a mean; what is not finite becomes 0."""
    build, place = code.builder, code.at("into") + feature
    mean = build.fdiv(place.load(FLOAT), build.sitofp(pixels.value, FLOAT))
    exponent = build.and_(build.bitcast(mean, BITS), BITS(EXPONENT))
    finite = build.icmp_signed("!=", exponent, BITS(EXPONENT))
    place.store(build.select(finite, mean, FLOAT(0.0)))
