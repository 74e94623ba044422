"""Forms: whole or refused, UTF-8 or refused, numbers as JSON writes them or refused."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.edge.forms import parts, typed
from service.problems import ProblemError
from service.schemas import CertifyParameters

KIND = "multipart/form-data; boundary=BB"


def part(name: str, content: bytes, *, more: str = "") -> bytes:
    head = f'--BB\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def form(picture: bytes, **fields: str) -> bytes:
    texts = b"".join(part(name, value.encode()) for name, value in fields.items())
    return part("image", picture, more='; filename="p.png"') + texts + b"--BB--\r\n"


def send(client: Any, body: bytes, kind: str = KIND) -> Any:
    return client.post("/v1/certify", content=body, headers={"content-type": kind})


FIELDS = {"model": "digits-tiny", "samples": "64", "k": "9"}


def test_a_whole_form_is_read(client: Any, picture: bytes) -> None:
    answer = send(client, form(picture, **FIELDS)).json()
    assert (answer["samples"], answer["answer"]["k"]) == (64, 9)


def test_no_form_that_was_cut_short_is_taken_for_a_shorter_one(
    client: Any, pool: Any, picture: bytes
) -> None:
    """Every length but the full one, with or without the last line end."""
    whole = form(b"\x00", **FIELDS)
    for length in range(1, len(whole) - 2):
        with pytest.raises(ProblemError, match=r"begin with its boundary|cut short"):
            parts(whole[:length], KIND)
    assert parts(whole[:-2], KIND) == parts(whole, KIND)
    cut = form(picture, **FIELDS).partition(b"samples")[0]
    response = send(client, cut[: cut.rindex(b"\r\n--BB")])
    assert response.status_code == 400 and "cut short" in response.text
    assert pool.calls == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"more"),
        (b"", b"\r\n"),
        (b"", b'--BB\r\nContent-Disposition: form-data; name="k"\r\n\r\n3\r\n--BB--'),
        (b"preamble\r\n", b""),
        (b"\r\n", b""),
    ],
)
def test_nothing_may_stand_around_a_form(before: bytes, after: bytes) -> None:
    with pytest.raises(ProblemError, match=r"begin with its boundary|follow the final boundary"):
        parts(before + form(b"\x00", k="3") + after, KIND)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (KIND + "; charset=utf-8", 200),
        (KIND + '; charset="UTF-8"', 200),
        (KIND + "; charset=punycode", 415),
        (KIND + "; charset=undefined", 415),
        (KIND + "; charset=latin-1", 415),
        (KIND + "; charset=\xff", 415),
        ("multipart/form-data; boundary=", 400),
        ("multipart/form-data; boundary=" + "B" * 71, 400),
    ],
)
def test_text_is_utf_8(client: Any, picture: bytes, kind: str, status: int) -> None:
    response = client.post(
        "/v1/certify",
        content=form(picture, **FIELDS),
        headers={"content-type": kind.encode("latin-1")},
    )
    assert response.status_code == status, response.text


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(ProblemError, match="not UTF-8"):
        parts(part("k", b"\xff") + b"--BB--", KIND)
    assert parts(part("modèle", "é".encode()) + b"--BB--", KIND) == [("modèle", "é")]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (part("k", b"x" * 1025), "k is too long: at most 1024 bytes"),
        (part("k", b"x") * 65, "at most 64"),
        (b"--BB\r\nContent-Disposition: form-data\r\n\r\n\r\n", "with a name"),
        (b"--BB\r\n\xff: x\r\n\r\n\r\n", "no multipart form"),
    ],
    ids=["long text", "many parts", "no name", "no header"],
)
def test_what_is_wrong_with_a_form_is_said(body: bytes, says: str) -> None:
    with pytest.raises(ProblemError, match=says):
        parts(body + b"--BB--", KIND)


@settings(suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=40), st.booleans()), max_size=9))
def test_what_was_sent_comes_out(sent: list[tuple[str, bytes, bool]]) -> None:
    fine = [
        (f"n{number}", content if file else text, file)
        for number, (text, content, file) in enumerate(sent)
        if b"--BB" not in content and "\r\n--BB" not in text
    ]
    body = b"".join(
        part(name, value if isinstance(value, bytes) else value.encode(),
             more='; filename="f"' if file else "")
        for name, value, file in fine
    )  # fmt: skip
    if fine:
        assert parts(body + b"--BB--", KIND) == [(name, value) for name, value, _ in fine]


NOT_JSON = ["1_0_0", "+400", " 400", "400 ", "400\n", "0400", "0x10", "٤٠٠", "４００", "4e2", ""]


@pytest.mark.parametrize("text", [*NOT_JSON, "400.0"])
def test_a_whole_number_is_written_as_in_json(client: Any, pool: Any, text: str) -> None:
    response = send(client, form(b"x", model="digits-tiny", samples=text))
    (error,) = response.json()["errors"]
    assert response.status_code == 422 and error["field"] == "samples"
    assert "valid integer" in error["rule"]
    assert pool.calls == []


@pytest.mark.parametrize("text", ["1_0.5", "+1", ".5", "1.", "0x1p-3", "1e", "nan", "inf", "٠.٥"])
def test_a_number_is_written_as_in_json(client: Any, pool: Any, text: str) -> None:
    response = send(client, form(b"x", model="digits-tiny", radius=text))
    (error,) = response.json()["errors"]
    assert response.status_code == 422 and error["field"] == "radius"
    assert pool.calls == []


def test_values_get_the_type_that_the_field_has() -> None:
    text = {"samples": "-12", "radius": "1.5e-3", "pictures": "true", "key": "123", "new": "7"}
    values = {"samples": -12, "radius": 0.0015, "pictures": True, "key": "123", "new": "7"}
    assert typed(CertifyParameters, text) == values
