"""How a caller would like to wait: what the headers say, and what they cannot."""

from typing import Any

import pytest

from service.edge.preferences import preferences
from tests.service.callers import Caller


@pytest.mark.parametrize(
    ("header", "later", "wait"),
    [
        ("respond-async", True, None),
        ("Respond-Async, WAIT = 7", True, 7),
        ('wait="3", handling=lenient', False, 3),
        ("wait=-1", False, None),
        ("wait=1e3, return=minimal", False, None),
        ("", False, None),
    ],
)
def test_preferences_are_read_as_rfc_7240_says(header: str, later: bool, wait: int | None) -> None:
    found = preferences(httpx_headers({"prefer": header}))
    assert (found.later, found.wait) == (later, wait)


@pytest.mark.parametrize("key", ["", "two words", "ä", "x" * 256])
def test_an_idempotency_key_that_is_none_is_refused(tell: Any, key: str) -> None:
    async def story(caller: Caller) -> Any:
        return await caller.certify({"idempotency-key": key.encode("utf-8")})  # type: ignore[dict-item]

    response = tell(story)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "Idempotency-Key"


def httpx_headers(headers: dict[str, str]) -> Any:
    from starlette.datastructures import Headers

    return Headers(headers)
