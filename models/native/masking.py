"""Slopes led back through a kink by its bits: those behind it where its slope is 1, else 0."""

from functools import cache

from llvmlite import ir

from models.native.compiling import Function
from models.native.emitting import BYTES, INT, At, Code, Int, floats
from models.native.endings import ENDINGS
from models.native.holding import HELD
from models.native.walking import Call, tabled

ABREAST = 8


def masking(held: str, pixels: int, width: int) -> Call:
    """Return what leads slopes of so many pixels of so many channels through a kink."""
    return Call(_function(held), (pixels, width))


@cache
def _function(held: str) -> Function:
    values = HELD[held].element.as_pointer()
    given = {"x": values, "y": values, "bits": BYTES, "pixels": INT, "width": INT}
    module = ir.Module("masking")
    code = Code(module, "masked", given)
    width = code.whole("width")
    whole = width // ABREAST * ABREAST
    with code.loop(code.number(0), code.whole("pixels")) as pixel:
        bits = code.at("bits") + pixel * ((width + (ABREAST - 1)) // ABREAST)
        x, y = (code.at(name) + pixel * width for name in ("x", "y"))
        with code.loop(code.number(0), whole, ABREAST) as channel:
            slopes = HELD[held].load(x + channel, floats(ABREAST))
            masked = ENDINGS["masked"](code, slopes, bits + channel // ABREAST)
            (y + channel).store(HELD[held].pack(code.builder, masked))
        with code.loop(whole, width) as channel:
            _mask_one(code, x + channel, y + channel, bits + whole // ABREAST, channel - whole)
    code.done()
    return tabled(module, "masked", given)


def _mask_one(code: Code, x: At, y: At, bits: At, place: Int) -> None:
    build, element = code.builder, x.value.type.pointee
    word = build.zext(bits.load(BYTES.pointee), INT)
    steep = build.trunc(build.lshr(word, place.value), ir.IntType(1))
    y.store(build.select(steep, x.load(element), ir.Constant(element, 0)))
