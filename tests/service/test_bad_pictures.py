"""Pictures that cannot be used: a problem naming the rule, and a model that saw nothing."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.service.bad_input import GOOD, PIXELS, assert_refused, encoded, photo


def giant_png(side: int) -> bytes:
    """A PNG whose header promises side×side pixels and whose data never comes."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(photo(), "JPEG", exif=exif)


BAD_PICTURES = {
    "not an image": b"Four score and seven years ago",
    "truncated": GOOD[: len(GOOD) // 2],
    "truncated jpeg": encoded(photo(), "JPEG")[:300],
    "1x1": encoded(Image.new("RGB", (1, 1))),
    "20000x20000": giant_png(20_000),
    "animated": encoded(
        photo(), "WEBP", save_all=True, append_images=[Image.new("RGB", (24, 20))], duration=9
    ),
    "gif": encoded(photo(), "GIF"),
    "cmyk": encoded(Image.new("CMYK", (24, 20)), "JPEG"),
    "palette": encoded(photo().convert("P")),
    "16 bit": encoded(Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)),
    "exif rotated": rotated(),
    "transparent": encoded(Image.new("RGBA", (24, 20), (1, 2, 3, 4))),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "only a header": GOOD[:33],
}


@pytest.mark.parametrize("name", BAD_PICTURES)
@pytest.mark.parametrize("upload", [False, True], ids=["json", "form"])
def test_pictures_that_cannot_be_used(client: Any, pool: Any, name: str, upload: bool) -> None:
    data = BAD_PICTURES[name]
    if upload:
        response = client.post(
            "/v1/certify", files={"image": ("p.png", data)}, data={"model": "digits-tiny"}
        )
    else:
        response = client.explain(data, method="gradient")
    assert_refused(response, "bad-image", "image", pool)


def test_the_service_still_works_after_all_that(client: Any, pool: Any) -> None:
    for data in BAD_PICTURES.values():
        client.certify(data)
    assert client.certify(GOOD, samples=100).status_code == 200
    assert pool.calls == ["look", "draw"]
