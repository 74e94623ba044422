"""The decoder gives exactly the stored pixels or a BadImage, and nothing else."""

import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models import headers, images
from models.images import BadImage, decode, digest, fit, read
from models.registry import card

PHOTOS = Path(__file__).parent.parent.parent / "examples" / "photos"
LIMIT = 1_000_000
RGB = np.random.Generator(np.random.Philox(5)).integers(0, 256, (24, 40, 3), dtype=np.uint8)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def rgb(kind: str, **options: object) -> bytes:
    return encoded(Image.fromarray(RGB), kind, **options)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, after: bytes = b"") -> bytes:
    """A PNG written by hand, for what Pillow would not write."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + body + after + chunk(b"IEND", b"")


def rotated(kind: str) -> bytes:
    exif = Image.Exif()
    exif[images.ORIENTATION] = 6
    return rgb(kind, exif=exif)


def animated(kind: str) -> bytes:
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def rgba() -> Image.Image:
    picture = Image.fromarray(RGB).convert("RGBA")
    picture.putpixel((0, 0), (1, 2, 3, 0))
    return picture


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_give_the_stored_pixels(kind: str, options: dict[str, object]) -> None:
    found = decode(rgb(kind, **options), max_pixels=LIMIT)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, RGB)


def test_jpeg_gives_what_the_library_decodes() -> None:
    data = rgb("JPEG", quality=90)
    np.testing.assert_array_equal(
        decode(data, max_pixels=LIMIT), np.array(Image.open(BytesIO(data)))
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_is_replicated_exactly(kind: str) -> None:
    data = encoded(Image.fromarray(RGB[:, :, 0]), kind)
    grey = np.array(Image.open(BytesIO(data)))
    found = decode(data, max_pixels=LIMIT)
    assert found.flags.c_contiguous
    for channel in range(3):
        np.testing.assert_array_equal(found[:, :, channel], grey)


def test_upright_exif_is_accepted() -> None:
    exif = Image.Exif()
    exif[images.ORIENTATION] = 1
    np.testing.assert_array_equal(decode(rgb("PNG", exif=exif), max_pixels=LIMIT), RGB)


LATE_EXIF = chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0")
ROWS_RGB8 = b"".join(b"\0" + row.tobytes() for row in RGB)

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "format"),
    "text": (lambda: b"hello, I am not a picture at all", "format"),
    "gif": (lambda: encoded(Image.fromarray(RGB), "GIF"), "format"),
    "tiff": (lambda: encoded(Image.fromarray(RGB), "TIFF"), "format"),
    "bmp": (lambda: encoded(Image.fromarray(RGB), "BMP"), "format"),
    "truncated jpeg": (lambda: rgb("JPEG")[:-200], "content"),
    "truncated png": (lambda: rgb("PNG")[:-200], "content"),
    "truncated webp": (lambda: rgb("WEBP")[:-200], "content"),
    "damaged png": (lambda: rgb("PNG").replace(b"IDAT", b"IDAX"), "content"),
    "1x1": (lambda: encoded(Image.new("RGB", (1, 1)), "PNG"), "size"),
    "15 wide": (lambda: encoded(Image.new("RGB", (15, 400)), "JPEG"), "size"),
    "too many pixels": (lambda: encoded(Image.new("RGB", (1001, 1000)), "JPEG"), "size"),
    "animated png": (lambda: animated("PNG"), "frames"),
    "animated webp": (lambda: animated("WEBP"), "frames"),
    "jpeg of two frames": (lambda: animated("MPO"), "frames"),
    "cmyk": (lambda: encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG"), "mode"),
    "palette": (lambda: encoded(Image.fromarray(RGB).convert("P"), "PNG"), "mode"),
    "1 bit": (lambda: encoded(Image.fromarray(RGB).convert("1"), "PNG"), "depth"),
    "16 bit grey": (lambda: encoded(Image.fromarray(RGB[:, :, 0].astype("<u2")), "PNG"), "depth"),
    "16 bit rgb": (
        lambda: png(40, 24, 16, 2, b"".join(b"\0" + r.astype(">u2").tobytes() for r in RGB)),
        "depth",
    ),
    "alpha png": (lambda: encoded(rgba(), "PNG"), "transparency"),
    "alpha webp": (lambda: encoded(rgba(), "WEBP"), "transparency"),
    "grey with alpha": (lambda: encoded(rgba().convert("LA"), "PNG"), "transparency"),
    "transparent colour": (lambda: rgb("PNG", transparency=(0, 0, 0)), "transparency"),
    "rotated jpeg": (lambda: rotated("JPEG"), "orientation"),
    "rotated png": (lambda: rotated("PNG"), "orientation"),
    "rotated webp": (lambda: rotated("WEBP"), "orientation"),
    "png rotated after its pixels": (
        lambda: png(40, 24, 8, 2, ROWS_RGB8, LATE_EXIF),
        "orientation",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_field_value_rule_and_advice(case: str) -> None:
    make, field = REFUSED[case]
    with pytest.raises(BadImage) as caught:
        decode(make(), max_pixels=LIMIT)
    assert caught.value.field == field
    for part in (caught.value.field, str(caught.value.value), caught.value.rule):
        assert part and part in str(caught.value)
    assert caught.value.advice


def test_hand_written_png_is_otherwise_fine() -> None:
    np.testing.assert_array_equal(decode(png(40, 24, 8, 2, ROWS_RGB8), max_pixels=LIMIT), RGB)


HUGE = {
    "png": png(20_000, 20_000, 8, 2, b""),
    "jpeg": b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 20_000, 20_000) + b"\3" + b"\0" * 9,
    "webp lossy": b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + b"\xff\x3f\xff\x3f",
    "webp lossless": b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\xff\xff\xff\x0f",
    "webp canvas": b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0" + b"\xff\x3f\0" * 2,
}


@pytest.mark.parametrize("kind", HUGE)
def test_huge_is_refused_by_its_header_before_any_decoder(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a decoder was reached"))
    with pytest.raises(BadImage, match=r"(20000×20000|1638[34]×1638[34]) pixels"):
        decode(HUGE[kind], max_pixels=178_000_000)


def test_pillows_own_pixel_limit_does_not_interfere() -> None:
    """Beyond its limit Pillow would warn; here the missing pixels are the only trouble."""
    large = png(10_000, 9_000, 8, 0, b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadImage, match="truncated"):
            decode(large, max_pixels=90_000_000)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "options", [{}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08" + bytes(6)}]
)
def test_own_header_reader_agrees_with_pillow(kind: str, options: dict[str, object]) -> None:
    data = rgb(kind, **options)
    with Image.open(BytesIO(data)) as picture:
        assert headers.read(data) == headers.Header(kind, *picture.size, 8)


@given(st.binary(max_size=400))
def test_random_bytes_raise_nothing_but_bad_image(data: bytes) -> None:
    with pytest.raises(BadImage):
        decode(data, max_pixels=LIMIT)


@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP"]),
    changes=st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8
    ),
    cut=st.integers(0, 3000),
)
def test_damaged_files_decode_or_raise_bad_image(
    kind: str, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(rotated(kind) if cut % 2 else rgb(kind))
    for at, value in changes:
        data[at % min(len(data), 600)] = value  # headers and tables are where the trouble is
    try:
        found = decode(bytes(data[: len(data) - cut % 50]), max_pixels=LIMIT)
    except BadImage:
        return
    assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3


def test_fit_leaves_a_picture_of_the_right_size_alone() -> None:
    square = RGB[:16, :16]
    np.testing.assert_array_equal(fit(square, card("digits-tiny")), square)


@pytest.mark.parametrize(("photo", "width"), [("chelsea", 450), ("coffee", 600)])
@pytest.mark.parametrize("turned", [False, True])
def test_fit_is_resize_then_centre_crop(photo: str, width: int, turned: bool) -> None:
    image = decode((PHOTOS / f"{photo}.jpg").read_bytes(), max_pixels=LIMIT)[:, :width]
    # Sides as 2 to 3, so that the two-step way meets whole pixels: 256×384, crop from (16, 80).
    whole = Image.fromarray(image).resize((384, 256), Image.Resampling.BICUBIC)
    slow = np.array(whole)[16:240, 80:304]
    if turned:
        image, slow = image.transpose(1, 0, 2), slow.transpose(1, 0, 2)
    found = fit(np.ascontiguousarray(image), card("efficientnet-lite0"))
    np.testing.assert_allclose(found.astype(int), slow.astype(int), atol=1)


def test_fit_of_a_very_long_picture_is_cheap() -> None:
    strip = np.zeros((16, 50_000, 3), np.uint8)
    strip[:, 24_990:25_010] = 200  # the middle 14 columns survive the crop; bicubic sees 2 more
    assert (fit(strip, card("efficientnet-lite0")) == 200).all()


@pytest.mark.parametrize("name", ["digits-tiny", "efficientnet-lite0"])
@pytest.mark.parametrize("file", sorted(PHOTOS.glob("*.jpg")), ids=lambda file: file.stem)
def test_reading_a_photograph_at_once_is_decoding_and_fitting_it(file: Path, name: str) -> None:
    data, frame = file.read_bytes(), card(name)
    found = read(data, frame, max_pixels=LIMIT)
    np.testing.assert_array_equal(found, fit(decode(data, max_pixels=LIMIT), frame))


@given(st.integers(16, 60), st.integers(16, 60), st.sampled_from(["RGB", "L"]), st.data())
def test_reading_at_once_is_decoding_and_fitting(
    width: int, height: int, mode: str, data: st.DataObject
) -> None:
    salt = data.draw(st.integers(0, 255))
    values = (np.arange(height * width * 3) * 7919 + salt) % 256
    picture = Image.fromarray(values.astype(np.uint8).reshape(height, width, 3)).convert(mode)
    kind, frame = data.draw(st.sampled_from(["PNG", "JPEG"])), card("digits-tiny")
    file = encoded(picture, kind)
    found = read(file, frame, max_pixels=LIMIT)
    np.testing.assert_array_equal(found, fit(decode(file, max_pixels=LIMIT), frame))
    assert found.flags.c_contiguous


def test_digest_is_of_the_values_in_row_major_order() -> None:
    # SHA-256 of 00 01 … 05, from coreutils' sha256sum.
    wanted = "17e88db187afd62c16e5debf3e6527cd006bc012bc90b51a810cd80c2d511f43"
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    assert digest(image) == wanted
    assert digest(np.asfortranarray(image)) == wanted
    with pytest.raises(ValueError, match="dtype is int64"):
        digest(image.astype(np.int64))  # type: ignore[arg-type]
