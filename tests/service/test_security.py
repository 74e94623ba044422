"""What the threat model in docs/operating.md promises against callers who mean harm.

Bodies, headers and pictures that are merely wrong are in test_bad_input and test_images; that no
byte of a signed document changes unnoticed is in test_signature.
"""

import base64
import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.images import BadImage, decode
from models.registry import UnknownModel, card
from service import api_keys
from service.app import create_app
from service.serving import configuration
from service.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes whose pixels take width × height × 3 bytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def lying(width: int, height: int, told: tuple[int, int]) -> bytes:
    """A bomb whose header says it is small."""
    made = bomb(width, height)
    header = struct.pack(">IIBBBBB", *told, 8, 2, 0, 0, 0)
    return made[:8] + chunk(b"IHDR", header) + made[8 + 25 :]


def metadata_bomb(kind: bytes) -> bytes:
    """A small PNG with 200 MB of compressed text in it."""
    buffer = BytesIO()
    Image.new("RGB", (24, 20)).save(buffer, "PNG")
    made = buffer.getvalue()
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    body = {b"zTXt": b"a\0\0", b"iCCP": b"a\0\0", b"iTXt": b"a\0\1\0\0\0"}[kind] + packed
    return made[:33] + chunk(kind, body) + made[33:]


def peak(work: Any) -> int:
    """Bytes that this process took at most while working, beyond what it had."""
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work()
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def test_a_bomb_is_refused_by_its_header(client: Any, pool: Any) -> None:
    data = bomb(9000, 9000)
    assert len(data) < 1 << 20

    def ask() -> None:
        answer = client.certify(data, samples=64)
        assert answer.status_code == 422
        assert answer.json()["type"].endswith("bad-image")

    assert peak(ask) < 100 << 20
    assert pool.calls == []


def test_a_bomb_that_lies_about_its_size_takes_no_more_than_it_says() -> None:
    data = lying(4000, 4000, (24, 20))

    def read() -> None:
        try:
            assert decode(data, max_pixels=10**6).shape == (20, 24, 3)
        except BadImage:
            return

    assert peak(read) < 50 << 20


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_text_packed_into_a_picture_is_not_unpacked(kind: bytes) -> None:
    data = metadata_bomb(kind)
    assert len(data) < 1 << 20

    def read() -> None:
        try:
            decode(data, max_pixels=10**6)
        except BadImage:
            return

    assert peak(read) < 100 << 20


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..", "digits-tiny.toml", "/etc/passwd", "digits-tiny\0", "DIGITS-TINY",
     "digits-tiny/../digits-tiny", "%2e%2e", "file:///etc/passwd", "models.registry", "__class__"],
)  # fmt: skip
def test_a_model_is_a_name_on_a_list_and_never_a_path(
    client: Any, pool: Any, picture: bytes, name: str
) -> None:
    with pytest.raises(UnknownModel):
        card(name)
    answer = client.certify(picture, model=name)
    assert answer.status_code in (404, 422)
    assert client.post("/v1/verify", json={"model": name}).status_code in (200, 422)
    assert pool.calls == []


@given(st.text(max_size=60))
def test_no_text_names_a_model_that_is_not_on_the_list(name: str) -> None:
    if name in ("digits-tiny", "efficientnet-lite0", "mobilenet-v2"):
        return
    with pytest.raises(UnknownModel):
        card(name)


@pytest.mark.parametrize("name", ["X-Request-Id", "Accept", "Prefer", "Idempotency-Key", "Origin"])
def test_no_header_of_a_caller_comes_back_as_a_header(
    client: Any, picture: bytes, name: str
) -> None:
    evil = b"x\r\nSet-Cookie: a=b"
    image = base64.b64encode(picture).decode()
    for sent in (evil, b"x\nSet-Cookie: a=b", "x\u2028Set-Cookie: a=b".encode()):
        answer = client.post(
            "/v1/explain",
            json={"model": "digits-tiny", "image": image, "method": "gradient"},
            headers=[(name.lower().encode(), sent)],
        )
        assert "set-cookie" not in answer.headers
        assert re.fullmatch("[A-Za-z0-9_.-]{1,64}", answer.headers["x-request-id"])


def test_what_callers_send_comes_back_as_data_only(client: Any) -> None:
    answer = client.get("/v1/models/<script>alert(1)</script>%0d%0aX: y")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "x" not in {name.lower() for name in answer.headers} - {"x-request-id"}


@pytest.fixture
def listening(pool: Any) -> Iterator[tuple[str, int]]:
    """The application behind a real socket, set up as `affidavit serve` does, in a hurry."""
    hurried = Settings(default_model="digits-tiny", arrival_seconds=1.0)
    server = uvicorn.Server(configuration(create_app(hurried, pool), hurried))
    own = socket.socket()
    own.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [own]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield own.getsockname()
    server.should_exit = True
    thread.join(30)
    own.close()


def closed(connection: socket.socket) -> bytes:
    """What comes until the other end hangs up, which it has to."""
    connection.settimeout(20)
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


@pytest.mark.parametrize("sent", [b"", b"P", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: b"])
def test_a_head_that_does_not_come_is_not_waited_for(
    listening: tuple[str, int], sent: bytes
) -> None:
    with socket.create_connection(listening) as own:
        own.sendall(sent)
        assert closed(own) == b""


def test_a_head_that_dribbles_in_is_not_waited_for(listening: tuple[str, int]) -> None:
    with socket.create_connection(listening) as own:
        began = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() - began < 20:
                own.sendall(b"G")
                time.sleep(0.05)


def test_the_second_request_of_a_connection_has_to_come_as_well(
    listening: tuple[str, int],
) -> None:
    with socket.create_connection(listening) as own:
        own.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while b"alive" not in received:
            received += own.recv(65536)
        own.sendall(b"GET /hea")
        assert closed(own) == b""


def test_a_body_that_dribbles_in_is_told_so(listening: tuple[str, int]) -> None:
    head = b"POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection(listening) as own:
        own.sendall(head + b"Content-Length: 1000000\r\n\r\n")
        for _ in range(10):
            own.sendall(b"[")
            time.sleep(0.01)
        answer = closed(own)
    assert answer.startswith(b"HTTP/1.1 408") and b"too-slow" in answer


def test_those_who_dribble_keep_nobody_from_being_served(listening: tuple[str, int]) -> None:
    slow = [socket.create_connection(listening) for _ in range(200)]
    try:
        for number, each in enumerate(slow):
            each.sendall(b"POST /v1/certify HTTP/1.1\r\nHost: x\r\n"[: 5 + number % 30])
        for _ in range(5):
            url = f"http://{listening[0]}:{listening[1]}"
            assert httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    finally:
        for each in slow:
            each.close()


def test_headers_without_end_are_refused(listening: tuple[str, int]) -> None:
    with socket.create_connection(listening) as own:
        own.settimeout(20)
        own.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        sent = 0
        try:
            while sent < 10 << 20:
                own.sendall(b"X-%d: %s\r\n" % (sent, b"a" * 1000))
                sent += 1000
            answer = own.recv(100)
        except (BrokenPipeError, ConnectionResetError):
            return
        assert answer.startswith(b"HTTP/1.1 400") or answer == b""
        assert sent < 10 << 20


def test_the_threat_model_is_written_down() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "## Threat model" in text
    for word in ("bomb", "slow", "path", "log", "byte", "key"):
        assert word in text.split("## Threat model")[1]


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever key is given, and wherever it first differs, the same is compared."""
    compared: list[tuple[str, str]] = []
    honest = api_keys.hmac.compare_digest
    monkeypatch.setattr(
        api_keys.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or honest(a, b)
    )
    made = [api_keys.fresh(f"caller {n}", 0.0) for n in range(5)]
    entries = [entry for _, entry in made]
    for key, entry in (*made, ("affidavit_guess", None), ("", None)):
        compared.clear()
        assert api_keys.match(key, entries) == entry
        assert [b for _, b in compared] == [e.digest for e in entries]
        assert {len(a) for a, _ in compared} == {64}
    assert not any(key in repr(entry) for key, entry in made)
