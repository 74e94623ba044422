"""Bytes to pixels: the only decoder and the only resizer of the project.

A certificate speaks about an array of 8-bit integers. Whatever would make it unclear which array a
file stands for (palettes, transparency, 16 bits, several frames, a rotation flag) is refused with a
reason and a remedy, never converted in silence. Colour profiles are ignored: the stored numbers
are taken as they are. Importing this module does not import torch.
"""

import hashlib
from io import BytesIO
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models import headers

FORMATS = ("JPEG", "PNG", "WEBP")
SMALLEST = 16  # pixels a side: below this no cell grid is left to explain
ORIENTATION = 0x0112  # EXIF tag
UPRIGHT = (None, 1)

# The pixel limit is decode()'s own, applied before Pillow sees the data; Pillow's second limit
# would only add warnings to it.
Image.MAX_IMAGE_PIXELS = None


class Frame(Protocol):
    """How a picture is brought to a network's size; every model card is one."""

    @property
    def size(self) -> int:
        """Pixels along each side of what the network sees."""

    @property
    def resize(self) -> int:
        """Pixels of the shorter side before the centre is cropped."""


class BadImage(ValueError):
    """A picture that is refused: which property, its value, the rule it breaks and the remedy."""

    def __init__(self, field: str, value: object, rule: str, advice: str) -> None:
        super().__init__(f"image {field} is {value}; {rule}; {advice}")
        self.field = field
        self.value = value
        self.rule = rule
        self.advice = advice


def decode(data: bytes, *, max_pixels: int) -> NDArray[np.uint8]:
    """Return the picture in `data` as (height, width, 3) 8-bit RGB, exactly as it was stored.

    Grey pictures are replicated over the three channels. Raises BadImage, and nothing else, for
    everything that is not one upright, opaque, 8-bit RGB or grey JPEG, PNG or WebP of at least
    16×16 and at most `max_pixels` pixels. Size is judged by the header, before decoding.
    """
    pixels = np.array(_opened(data, max_pixels))
    return np.ascontiguousarray(np.broadcast_to(pixels.T, (3, *pixels.T.shape[-2:])).T)


def fit(image: NDArray[np.uint8], frame: Frame) -> NDArray[np.uint8]:
    """Return the (size, size, 3) picture that a network with this card, or frame, sees.

    The same as resizing the shorter side to `frame.resize` (bicubic, antialiased) and cropping the
    centre, but done in one step from the crop's own box, so that a long thin picture costs nothing.
    """
    return np.array(_fitted(Image.fromarray(image), frame))


def read(data: bytes, frame: Frame, *, max_pixels: int) -> NDArray[np.uint8]:
    """Return `fit(decode(data, max_pixels=max_pixels), frame)`, to the bit, for less.

    Channels are resized one by one, so a grey picture may be replicated afterwards; and the pixels
    of a large picture need not become an array in between. Raises BadImage as `decode` does.
    """
    pixels = np.array(_fitted(_opened(data, max_pixels), frame))
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=-1)


def digest(image: NDArray[np.uint8]) -> str:
    """Return the SHA-256 (hex) of the array's bytes in row-major order. Shape is not part of it."""
    if image.dtype != np.uint8:
        raise ValueError(f"image dtype is {image.dtype}; a digest is of uint8 values")
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def _judge_header(data: bytes, max_pixels: int) -> headers.Header:
    header = headers.read(data)
    if header is None:
        rule = "it must be a JPEG, PNG or WebP file"
        raise BadImage("format", headers.describe(data), rule, "convert it to PNG or JPEG")
    size = f"{header.width}×{header.height} pixels"
    if min(header.width, header.height) < SMALLEST:
        rule = f"each side must have at least {SMALLEST} pixels"
        raise BadImage("size", size, rule, "send a larger picture")
    if header.width * header.height > max_pixels:
        rule = f"at most {max_pixels} pixels are accepted"
        raise BadImage("size", size, rule, "scale the picture down")
    if header.depth != 8:
        rule = "each channel must have 8 bits"
        raise BadImage("depth", f"{header.depth} bits", rule, "save it with 8 bits per channel")
    return header


def _opened(data: bytes, max_pixels: int) -> Image.Image:
    """The picture with its pixels, RGB or grey, judged; BadImage for everything that is none."""
    header = _judge_header(data, max_pixels)
    try:
        return _loaded(data, header)
    except BadImage:
        raise
    except Exception as error:  # decoders of hostile bytes raise almost anything
        raise BadImage(
            "content",
            f"{header.format} that cannot be decoded ({type(error).__name__}: {error})",
            "the file must be whole and undamaged",
            "open it in an image program and save it again",
        ) from error


def _loaded(data: bytes, header: headers.Header) -> Image.Image:
    with Image.open(BytesIO(data), formats=FORMATS) as picture:
        _judge_picture(picture, header)
        picture.load()
        _judge_picture(picture, header)  # PNG may state rotation and transparency after the pixels
        return picture


def _fitted(picture: Image.Image, frame: Frame) -> Image.Image:
    width, height = picture.size
    side = min(height, width) * frame.size / frame.resize
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return picture.resize((frame.size, frame.size), Image.Resampling.BICUBIC, box=box)


def _judge_picture(picture: Image.Image, header: headers.Header) -> None:
    frames = getattr(picture, "n_frames", 1)
    if frames != 1:
        rule = "it must be one still picture"
        raise BadImage("frames", frames, rule, "save the frame you mean as a picture of its own")
    if picture.size != (header.width, header.height) or picture.format != header.format:
        rule = "its headers must agree with each other"
        raise BadImage("content", "contradictory", rule, "save it again with an image program")
    if picture.has_transparency_data:
        rule = "it must be opaque"
        raise BadImage("transparency", "present", rule, "flatten it onto a background")
    if picture.mode not in ("RGB", "L"):
        rule = "it must be RGB or grey"
        raise BadImage("mode", picture.mode, rule, "convert it to RGB")
    orientation = picture.getexif().get(ORIENTATION)
    if orientation not in UPRIGHT:
        rule = "EXIF orientation must be 1 (upright) or absent"
        raise BadImage("orientation", orientation, rule, "rotate the pixels and drop the EXIF tag")
