"""What tests of bad input share: a good picture, and what a refusal has to say.

The pool counts what reaches it; whatever is refused must leave it at nothing.
"""

import base64
import io
from typing import Any

import httpx
import numpy as np
from PIL import Image

from service.problems import KINDS, PREFIX

PIXELS = np.arange(24 * 20 * 3, dtype=np.uint8).reshape(20, 24, 3)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(**options: Any) -> Image.Image:
    return Image.fromarray(PIXELS)


GOOD = encoded(photo())
IMAGE = base64.b64encode(GOOD).decode()


def assert_refused(
    response: httpx.Response, kind: str, field: str | None, pool: Any
) -> list[dict[str, str]]:
    """A complete problem of this kind that blames this field, and a pool that saw nothing."""
    assert response.status_code == KINDS[kind].status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == PREFIX + kind
    assert problem["status"] == response.status_code
    assert problem["title"] and problem["detail"]
    assert all(fault["rule"] and fault["advice"] for fault in problem["errors"])
    fields = [fault["field"] for fault in problem["errors"]]
    assert field is None or any(name == field or name.startswith(f"{field} ") for name in fields)
    assert pool.calls == []
    errors: list[dict[str, str]] = problem["errors"]
    return errors
