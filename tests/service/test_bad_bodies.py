"""Bodies, headers and forms that cannot be read: refused before a model sees anything."""

import threading
from typing import Any

import pytest
from PIL import Image

from service import requests
from tests.service.bad_input import GOOD, IMAGE, assert_refused, encoded

BODIES = [
    (b"", "empty-body", "body"),
    (b"{", "malformed-body", "body"),
    (b"[]", "malformed-body", "body"),
    (b'"text"', "malformed-body", "body"),
    (b"\xff\xfe{}", "malformed-body", "body"),
    (b'{"radius": NaN}', "malformed-body", "body"),
    (b'{"radius": -Infinity}', "malformed-body", "body"),
    (b'{"k": 1, "k": 2}', "malformed-body", "k"),
    (b'{"image": "aaaa", "image": "aaaa"}', "malformed-body", "image"),
    (b'{"k": ' + b"9" * 5000 + b"}", "malformed-body", "body"),
    (b'{"k": ' + b"[" * 100_000 + b"}", "malformed-body", "body"),
    (b"{}", "bad-image", "image"),
    (b'{"image": ["aaaa", "aaaa"]}', "bad-image", "image"),
    (b'{"image": 7}', "bad-image", "image"),
    (b'{"image": ""}', "bad-image", "image"),
    (b'{"image": "data:image/png;base64,aaaa"}', "bad-image", "image"),
    (b'{"image": "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"}', "bad-image", "image"),
    (b'{"image": "' + IMAGE.encode() + b'", "model": "\\ud800"}',
     "invalid-parameters", "model"),
    (b'{"image": "' + IMAGE.encode() + b'", "model": "digits-tiny", "\\ud800": 1}',
     "invalid-parameters", "body"),
    (b'{"image": "' + IMAGE.encode() + b'", "model": "digits-tiny", "radius": 1e999}',
     "invalid-parameters", "radius"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "field"), BODIES, ids=lambda v: str(v)[:40])
def test_bodies(client: Any, pool: Any, body: bytes, kind: str, field: str) -> None:
    headers = {"content-type": "application/json"}
    response = client.post("/v1/certify", content=body, headers=headers)
    assert_refused(response, kind, field, pool)


@pytest.mark.parametrize(
    ("headers", "kind", "field"),
    [
        ({}, "unsupported-content-type", "Content-Type"),
        ({"content-type": "text/plain"}, "unsupported-content-type", "Content-Type"),
        ({"content-type": "image/png"}, "unsupported-content-type", "Content-Type"),
        (
            {"content-type": "application/x-www-form-urlencoded"},
            "unsupported-content-type",
            "Content-Type",
        ),
        (
            {"content-type": "application/json", "content-encoding": "gzip"},
            "unsupported-content-type",
            "Content-Encoding",
        ),
        ({"content-type": "multipart/form-data"}, "malformed-body", "body"),
        ({"content-type": "multipart/form-data; boundary=x"}, "malformed-body", "body"),
        ({"content-type": "application/json", "accept": "text/html"}, "not-acceptable", "Accept"),
    ],
)
def test_headers(client: Any, pool: Any, headers: dict[str, str], kind: str, field: str) -> None:
    assert_refused(client.post("/v1/certify", content=b"??", headers=headers), kind, field, pool)


@pytest.mark.timeout(60)
def test_many_names_cost_no_more_than_their_bytes(client: Any, pool: Any) -> None:
    """Counting each name against all others would take minutes here."""
    names = ",".join(f'"{n}":1' for n in range(100_000))
    headers = {"content-type": "application/json"}
    for body, blamed in (("{%s}", "body"), ('{%s,"0":1}', "0")):
        response = client.post("/v1/certify", content=body % names, headers=headers)
        assert_refused(response, "malformed-body", blamed, pool)


def test_more_fields_than_a_request_can_have(client: Any, pool: Any) -> None:
    response = client.certify(GOOD, **{f"x{n}": n for n in range(99)})
    (error,) = assert_refused(response, "malformed-body", "body", pool)
    assert "at most 64" in error["rule"]


def test_json_is_parsed_beside_the_event_loop(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop answers others while a large body is parsed."""
    parse, threads = requests.parse_json, []

    def noted(body: bytes) -> Any:
        threads.append(threading.current_thread())
        return parse(body)

    monkeypatch.setattr(requests, "parse_json", noted)
    large = encoded(Image.new("RGB", (300, 300)), compress_level=0)
    assert len(large) > requests.SMALL
    assert client.explain(large, method="gradient").status_code == 200
    assert threads and threading.main_thread() not in threads
    # A small one is parsed before a thread would have begun.
    assert client.explain(GOOD, method="gradient").status_code == 200
    assert threads[-1] is threading.main_thread()


def test_a_query_string_is_refused_and_not_silently_ignored(client: Any, pool: Any) -> None:
    response = client.post(
        "/v1/certify?k=3", files={"image": ("p.png", GOOD)}, data={"model": "digits-tiny"}
    )
    assert_refused(response, "invalid-parameters", "query", pool)


def test_two_pictures_in_a_form(client: Any, pool: Any) -> None:
    files = [("image", ("a.png", GOOD)), ("image", ("b.png", GOOD))]
    response = client.post("/v1/certify", files=files, data={"model": "digits-tiny"})
    (error,) = assert_refused(response, "malformed-body", "image", pool)
    assert error["value"] == "2 values"


@pytest.mark.parametrize(
    ("files", "data", "kind", "field"),
    [
        ({"picture": ("a.png", GOOD)}, {"model": "digits-tiny"}, "bad-image", "image"),
        ({"image": ("a.png", b"")}, {"model": "digits-tiny"}, "bad-image", "image"),
        ({"image": ("a.png", GOOD), "model": ("m", b"x")}, {}, "invalid-parameters", "model"),
        ({"image": ("a.png", GOOD)}, {"model": "x" * 2000}, "malformed-body", "body"),
        ({"image": ("a.png", GOOD)}, {str(n): "" for n in range(99)}, "malformed-body", "body"),
        ({"other": ("a.png", GOOD)}, {"image": "photo.jpg"}, "bad-image", "image"),
    ],
    ids=["other name", "empty file", "model as file", "long field", "many fields", "image as text"],
)
def test_forms(
    client: Any, pool: Any, files: dict[str, Any], data: dict[str, str], kind: str, field: str
) -> None:
    assert_refused(client.post("/v1/certify", files=files, data=data), kind, field, pool)


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "streamed"])
def test_a_body_too_large_is_refused_before_all_of_it_is_read(
    client: Any, pool: Any, declared: bool
) -> None:
    limit, read = client.settings.max_body_bytes, 0

    async def chunks() -> Any:
        nonlocal read
        for _ in range(100):
            read += 1 << 20
            yield b"x" * (1 << 20)

    headers = {"content-type": "application/json"}
    if declared:
        headers["content-length"] = str(100 << 20)
    response = client.stream("/v1/certify", chunks(), headers)
    assert_refused(response, "body-too-large", "body", pool)
    assert read <= (0 if declared else limit + (2 << 20))
