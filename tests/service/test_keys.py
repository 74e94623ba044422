"""Operator keys: made safely, read strictly, and what they sign is what leaves the house."""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from typer.testing import CliRunner

from certify.document import dumps
from certify.signature import keyid, public_key
from certify.verify import verify
from service import cli, keys
from service.app import create_app
from service.commands.sources import Offline
from service.keys import BadKey
from service.settings import Settings


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


@pytest.fixture
def maker(tmp_path: Path) -> Path:
    path = tmp_path / "maker.pem"
    keys.new(path)
    return path


def secret(key: Any, encryption: Any = None) -> bytes:
    encoded: bytes = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()
    )
    return encoded


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_new_writes_a_private_and_a_public_file_and_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "maker.pem"
    before = os.umask(0)
    try:
        done = run("keys", "new", path)
    finally:
        os.umask(before)
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    public = public_key((tmp_path / "maker.pem.pub").read_bytes())
    assert f"keyid {keyid(public)}" in done.output
    assert keys.private(path).public_key() == public
    assert "PRIVATE KEY" not in done.output and path.read_bytes().startswith(b"-----BEGIN PRIVATE")


@pytest.mark.parametrize("there", ["maker.pem", "maker.pem.pub"])
def test_new_never_overwrites(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("precious")
    done = run("keys", "new", tmp_path / "maker.pem")
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "precious"


def test_new_in_a_folder_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    done = run("keys", "new", tmp_path / "none" / "maker.pem")
    assert done.exit_code == 2 and "cannot write the key" in done.stderr


def test_show_says_the_same_for_both_halves_and_only_the_public_one(maker: Path) -> None:
    private, public = run("keys", "show", maker), run("keys", "show", keys.beside(maker))
    assert private.exit_code == public.exit_code == 0
    assert private.output == public.output
    assert "PRIVATE" not in private.output
    assert keys.beside(maker).read_text().strip() in private.output
    assert run("keys", "show", maker.with_name("none")).exit_code == 2


def bad_files(folder: Path) -> dict[str, Path]:
    good = secret(Ed25519PrivateKey.generate())
    locked = secret(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"word"))
    return {
        "cannot read the key .*none": folder / "none",
        "cannot read the key": folder,
        "others can read the key; chmod 600": write(folder / "open", good, 0o644),
        "mode 0640": write(folder / "group", good, 0o640),
        "is no PEM file of a private key": write(folder / "junk", b"junk"),
        "is encrypted": write(folder / "locked", locked),
        "is not an Ed25519 key": write(folder / "elliptic", secret(elliptic(SECP256R1()))),
    }


def test_bad_key_files_are_refused_when_the_service_starts(tmp_path: Path, pool: Any) -> None:
    for message, path in bad_files(tmp_path).items():
        bad = Settings(signing_key=path)
        with pytest.raises(BadKey, match=message):
            create_app(bad, pool)
        with pytest.raises(BadKey, match=message):
            Offline(bad, pool)
    assert pool.calls == []


def test_serve_and_certify_end_with_2_on_a_bad_key(
    tmp_path: Path, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFIDAVIT_SIGNING_KEY", str(tmp_path / "none.pem"))
    photo = write(tmp_path / "photo.png", picture)
    for arguments in (["serve", "--port", "0"], ["certify", photo]):
        done = run(*arguments)
        assert done.exit_code == 2
        assert "cannot read the key" in done.stderr and "none.pem" in done.stderr


@pytest.fixture
def signing(client: Any, maker: Path) -> Any:
    settings = Settings(max_samples=5000, default_model="digits-tiny", signing_key=maker)
    return type(client)(client.pool, settings)


def test_the_server_signs_what_it_issues(signing: Any, picture: bytes, maker: Path) -> None:
    public = keys.public(maker)
    answer = signing.certify(picture, samples=100).json()
    report = verify(dumps(answer["certificate"]), public)
    assert report.holds
    said = len(answer["summary"]) - 1
    assert answer["summary"][:said] == list(report.words[:said])
    assert answer["summary"][-1] == f"It is signed with the key {keyid(public)}."
    checked = signing.post("/v1/verify", json=answer["certificate"]).json()
    assert checked["holds"] and "NOT checked" in checked["signature"]


def test_events_carry_the_signed_document_too(
    signing: Any, picture: bytes, maker: Path, parse_events: Any
) -> None:
    text = signing.certify(picture, "text/event-stream", samples=100).text
    document = parse_events(text)[-1][1]["certificate"]
    assert verify(json.dumps(document).encode(), keys.public(maker)).holds


def test_an_unsigned_answer_says_so(client: Any, picture: bytes) -> None:
    answer = client.certify(picture, samples=100).json()
    assert "not signed" in answer["summary"][-1]
    assert "payloadType" not in answer["certificate"]


def test_the_private_key_is_never_shown(signing: Any, maker: Path) -> None:
    signer = signing.app.state.service.signer
    raw = keys.private(maker).private_bytes_raw()
    shown = repr(signer) + str(signing.settings) + repr(signing.app.state.service)
    assert raw.hex() not in shown
    assert not set(re.findall(r"[A-Za-z0-9+/]{40,}", maker.read_text())) & set(shown.split())


def test_every_command_of_keys_teaches_by_an_example() -> None:
    overview = run("keys", "--help").output
    for command in ("new", "show"):
        assert command in overview
        assert f"Example: affidavit keys {command}" in run("keys", command, "--help").output
