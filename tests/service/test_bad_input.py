"""Every kind of bad input: a problem naming field, value and rule, and a model that saw nothing.

The pool counts what reaches it; all of the below must leave it at nothing.
"""

import base64
import io
import json
import struct
import threading
import zlib
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from service import orders, requests
from service.problems import KINDS, PREFIX
from service.schemas import CertifyParameters

PIXELS = np.arange(24 * 20 * 3, dtype=np.uint8).reshape(20, 24, 3)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(**options: Any) -> Image.Image:
    return Image.fromarray(PIXELS)


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


GOOD = encoded(photo())
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


CERTIFY = [
    ({"model": "resnet-9000"}, "unknown-model", "model", "resnet-9000"),
    ({"model": ""}, "invalid-parameters", "model", ""),
    ({"model": 7}, "invalid-parameters", "model", "7"),
    ({"model": "../../etc/passwd"}, "unknown-model", "model", "../../etc/passwd"),
    ({"k": 0}, "invalid-parameters", "k", "0"),
    ({"k": -1}, "invalid-parameters", "k", "-1"),
    ({"k": 64}, "invalid-parameters", "k", "64"),
    ({"k": 10**400}, "invalid-parameters", "k", None),
    ({"k": 3.5}, "invalid-parameters", "k", "3.5"),
    ({"k": "3"}, "invalid-parameters", "k", "3"),
    ({"k": True}, "invalid-parameters", "k", "true"),
    ({"k": [3]}, "invalid-parameters", "k", "[3]"),
    ({"k": 3, "fraction": 0.5}, "invalid-parameters", "k", "3"),
    ({"fraction": 0}, "invalid-parameters", "fraction", "0"),
    ({"fraction": 1}, "invalid-parameters", "fraction", "1"),
    ({"stop": "proven"}, "invalid-parameters", "stop", "proven"),
    ({"stop": "proven", "overlap": 0.5}, "invalid-parameters", "stop", "proven"),
    ({"stop": "proven", "radius": 0.1}, "invalid-parameters", "stop", "proven"),
    (
        {"stop": "proven", "overlap": 0.5, "radius": 0.1, "confidence": "fixed"},
        "invalid-parameters",
        "stop",
        "proven",
    ),
    ({"stop": "soon"}, "invalid-parameters", "stop", "soon"),
    ({"strict": "perhaps"}, "invalid-parameters", "strict", "perhaps"),
    ({"overlap": 0.5, "radius": 2.0}, "too-few-samples", "samples", "1000"),
    ({"overlap": 0}, "invalid-parameters", "overlap", "0"),
    ({"overlap": 1.01}, "invalid-parameters", "overlap", "1.01"),
    ({"radius": 0}, "invalid-parameters", "radius", "0"),
    ({"radius": -0.1}, "invalid-parameters", "radius", "-0.1"),
    ({"radius": 1e308}, "invalid-parameters", "radius", "1e+308"),
    ({"cell": 0}, "invalid-parameters", "cell", "0"),
    ({"cell": 3}, "invalid-parameters", "cell", "3"),
    ({"cell": 10**9}, "invalid-parameters", "cell", "1000000000"),
    ({"cell": 16, "k": 1}, "invalid-parameters", "k", "1"),
    ({"scale": 0}, "invalid-parameters", "scale", "0"),
    ({"scale": 1 / 255}, "invalid-parameters", "scale", None),
    ({"scale": 0.00395}, "invalid-parameters", "scale", "0.00395"),
    ({"scale": 4.1}, "invalid-parameters", "scale", "4.1"),
    ({"scale": -1e300}, "invalid-parameters", "scale", "-1e+300"),
    ({"votes": 0}, "invalid-parameters", "votes", "0"),
    ({"votes": 64}, "invalid-parameters", "votes", "64"),
    ({"samples": 0}, "invalid-parameters", "samples", "0"),
    ({"samples": 5001}, "invalid-parameters", "samples", "5001"),
    ({"samples": 10**300}, "invalid-parameters", "samples", None),
    ({"norm": "0.5"}, "invalid-parameters", "norm", "0.5"),
    ({"norm": "max"}, "invalid-parameters", "norm", "max"),
    ({"norm": 2}, "invalid-parameters", "norm", "2"),
    ({"law": "cauchy"}, "invalid-parameters", "law", "cauchy"),
    ({"law": "liu2021", "norm": "500"}, "invalid-parameters", "request", ""),
    ({"shape": 4}, "invalid-parameters", "shape", "4"),
    ({"law": "generalized_normal", "shape": 5}, "invalid-parameters", "shape", "5"),
    ({"law": "generalized_normal", "shape": 2}, "invalid-parameters", "shape", "2"),
    ({"failure_probability": 0}, "invalid-parameters", "failure_probability", "0"),
    ({"failure_probability": 1}, "invalid-parameters", "failure_probability", "1"),
    ({"failure_probability": -0.5}, "invalid-parameters", "failure_probability", "-0.5"),
    ({"confidence": "certain"}, "invalid-parameters", "confidence", "certain"),
    ({"target": -1}, "invalid-parameters", "target", "-1"),
    ({"target": 10}, "invalid-parameters", "target", "10"),
    ({"key": "abc"}, "invalid-parameters", "key", "abc"),
    ({"key": "g" * 32}, "invalid-parameters", "key", "g" * 32),
    ({"key": "0" * 33}, "invalid-parameters", "key", "0" * 33),
    ({"pictures": "perhaps"}, "invalid-parameters", "pictures", "perhaps"),
    ({"sigma": 0.25}, "invalid-parameters", "sigma", "0.25"),
    ({"__class__": {}}, "invalid-parameters", "__class__", "{}"),
    ({"samples": 3}, "too-few-samples", "samples", "3"),
    ({"radius": 2.0}, "too-few-samples", "samples", "1000"),
    ({"failure_probability": 1e-300, "samples": 100}, "too-few-samples", "samples", "100"),
]


@pytest.mark.parametrize(("fields", "kind", "field", "value"), CERTIFY, ids=str)
def test_parameters_of_certify(
    client: Any, pool: Any, fields: dict[str, Any], kind: str, field: str, value: str | None
) -> None:
    errors = assert_refused(client.certify(GOOD, **fields), kind, field, pool)
    blamed = next(error for error in errors if error["field"] == field)
    assert value is None or blamed["value"] == value


def test_what_certify_alone_finds_wrong_is_told_to_the_caller(
    client: Any, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*values: Any) -> None:
        raise ValueError("shade is 7; it must be at most 6")

    monkeypatch.setattr(orders, "Recipe", refuse)
    estimate = client.post("/v1/certify/estimate", json={"model": "digits-tiny"})
    for response in (client.certify(GOOD), client.explain(GOOD, method="renyi"), estimate):
        (error,) = assert_refused(response, "invalid-parameters", "request", pool)
        assert error["rule"] == "shade is 7; it must be at most 6"


EXPLAIN = [
    ({}, "method", "nothing"),
    ({"method": "lime"}, "method", "lime"),
    ({"method": None}, "method", "null"),
    ({"method": "gradient", "votes": 3}, "votes", "3"),
    ({"method": "gradient", "scale": 0.25}, "scale", "0.25"),
    ({"method": "smoothgrad", "votes": 3}, "votes", "3"),
    ({"method": "renyi", "votes": 64}, "votes", "64"),
    ({"method": "renyi", "cell": 5}, "cell", "5"),
    ({"method": "smoothgrad", "samples": 5001}, "samples", "5001"),
    ({"method": "gradient", "k": 3}, "k", "3"),
]


@pytest.mark.parametrize(("fields", "field", "value"), EXPLAIN, ids=str)
def test_parameters_of_explain(
    client: Any, pool: Any, fields: dict[str, Any], field: str, value: str
) -> None:
    errors = assert_refused(client.explain(GOOD, **fields), "invalid-parameters", field, pool)
    assert (field, value) in [(error["field"], error["value"]) for error in errors]


FORMS = [
    ({"k": "nan"}, "k"),
    ({"radius": "nan"}, "radius"),
    ({"radius": "inf"}, "radius"),
    ({"radius": "1e999"}, "radius"),
    ({"k": ""}, "k"),
    ({"k": "9" * 900}, "k"),
    ({"scale": "0x1p-3"}, "scale"),
    ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("fields", "field"), FORMS, ids=str)
def test_parameters_as_text(client: Any, pool: Any, fields: dict[str, str], field: str) -> None:
    form = {"model": "digits-tiny"} | fields
    response = client.post("/v1/certify", files={"image": ("p.png", GOOD)}, data=form)
    assert_refused(response, "invalid-parameters", field, pool)


IMAGE = base64.b64encode(GOOD).decode()
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
    """Counting each name against all others would take half an hour here."""
    names = ",".join(f'"{n}":1' for n in range(400_000))
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
    assert client.explain(GOOD, method="gradient").status_code == 200
    assert threads and threading.main_thread() not in threads


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


def test_several_faults_are_reported_at_once(client: Any, pool: Any) -> None:
    response = client.certify(GOOD, k=64, cell=2, votes=70, target=99, overlap=0.5, stop="proven")
    errors = assert_refused(response, "invalid-parameters", "k", pool)
    assert {error["field"] for error in errors} == {"k", "votes", "target", "stop"}


def test_too_few_samples_says_how_many_would_do_and_they_do(client: Any, pool: Any) -> None:
    response = client.certify(GOOD, samples=5, radius=0.2)
    (error,) = assert_refused(response, "too-few-samples", "samples", pool)
    needed = int(error["advice"].split()[2])
    still = client.certify(GOOD, samples=needed - 1, radius=0.2)
    assert_refused(still, "too-few-samples", "samples", pool)
    assert client.certify(GOOD, samples=needed, radius=0.2).status_code == 200


def test_no_advice_asks_for_more_samples_than_are_allowed(client: Any, pool: Any) -> None:
    few = type(client)(pool, client.settings.model_copy(update={"max_samples": 50}))
    asked = {"samples": 5, "radius": 0.2}
    (error,) = assert_refused(few.certify(GOOD, **asked), "too-few-samples", "samples", pool)
    enough = client.certify(GOOD, **asked).json()["errors"][0]["advice"].split()[2]
    assert int(enough) > 50
    assert error["advice"].startswith(f"it takes {enough} samples and 50 are allowed here; ask for")


def test_a_radius_that_no_number_of_samples_can_prove_says_so(client: Any, pool: Any) -> None:
    response = client.certify(GOOD, radius=90.0)
    (error,) = assert_refused(response, "too-few-samples", "samples", pool)
    assert error["advice"].startswith("no number of samples would do; ask for a smaller radius")


def test_the_service_still_works_after_all_that(client: Any, pool: Any) -> None:
    for data in BAD_PICTURES.values():
        client.certify(data)
    assert client.certify(GOOD, samples=100).status_code == 200
    assert pool.calls == ["look", "draw"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from([*CertifyParameters.model_fields, "method", "image", "x"])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(["/v1/explain", "/v1/certify", "/v1/verify"]),
    fields=st.dictionaries(NAMES, JSON_VALUES, max_size=5),
    sound=st.booleans(),
)
def test_no_json_body_ever_breaks_the_server(
    client: Any, path: str, fields: dict[str, Any], sound: bool
) -> None:
    base = {"model": "digits-tiny", "image": IMAGE, "samples": 64} if sound else {}
    response = client.post(
        path,
        content=json.dumps(base | fields),
        headers={"content-type": "application/json"},
    )
    assert response.status_code < 500, (fields, response.text)
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    body=st.binary(max_size=200),
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=b"]),
)
def test_no_bytes_ever_break_the_server(client: Any, body: bytes, kind: str) -> None:
    if kind.endswith("=b"):
        body = b"--b\r\n" + body + b"\r\n--b--"
    response = client.post("/v1/certify", content=body, headers={"content-type": kind})
    assert 400 <= response.status_code < 500
