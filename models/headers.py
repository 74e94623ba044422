"""What an image file says about itself, read before any decoder sees it.

JPEG, PNG and WebP, and nothing else. Only the few bytes that give size and depth are parsed, so a
file that claims a billion pixels costs nothing to refuse.
"""

import struct
from dataclasses import dataclass

# Well-known beginnings of files that are pictures, but not ours: only to name them in an error.
OTHERS = {
    b"GIF8": "a GIF",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"BM": "a BMP",
    b"%PDF": "a PDF",
    b"<svg": "an SVG",
    b"\x1f\x8b": "a gzip file",
    b"PK\3\4": "a ZIP archive or NumPy .npz",
    b"\x93NUMPY": "a NumPy array",
}
# Start-of-frame markers of JPEG: all of C0..CF but DHT (C4), JPG (C8) and DAC (CC).
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class Header:
    """Format name as Pillow spells it, size in pixels and bits per channel."""

    format: str
    width: int
    height: int
    depth: int


def read(data: bytes) -> Header | None:
    """Return the header of a JPEG, PNG or WebP, or None where the bytes are not one."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            width, height, depth = struct.unpack_from(">IIB", data, 16)
            return Header("PNG", width, height, depth)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        return None
    return None


def describe(data: bytes) -> str:
    """Return what these bytes seem to be, for an error message."""
    if data[4:8] == b"ftyp":
        return "an AVIF, HEIC or video file"
    for beginning, name in OTHERS.items():
        if data.startswith(beginning):
            return name
    return f"{len(data)} bytes beginning {data[:8].hex(' ')}" if data else "0 bytes"


def _jpeg(data: bytes) -> Header | None:
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in FRAMES:
            depth, height, width = struct.unpack_from(">BHH", data, at + 4)
            return Header("JPEG", width, height, depth)
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _webp(data: bytes) -> Header | None:
    kind = data[12:16]
    if kind == b"VP8X":  # extended: canvas size less one, 24 bits each
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":  # lossless: size less one, 14 bits each, after a signature byte
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":  # lossy: 14 bits each, after frame tag and start code
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return None
    return Header("WEBP", width, height, 8)
