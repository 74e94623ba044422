"""Signed documents: the encoding of the specification, and no byte that could change unnoticed."""

import base64
import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as elliptic
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from certify.document import dumps
from certify.plan import Question
from certify.reading import loads
from certify.signature import (
    PAYLOAD_TYPE,
    envelope,
    keyid,
    pae,
    public_key,
    seal,
)
from certify.verify import main, render, verify
from tests.composed import composed

JSON = dict[str, Any]
# The secret key of RFC 8032, section 7.1, test 1, so that these tests are the same every time.
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
KEY = Ed25519PrivateKey.from_private_bytes(SECRET)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))


def pem(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded


@pytest.fixture(scope="module")
def sealed(document: JSON) -> bytes:
    return dumps(seal(dumps(document), KEY))


@pytest.fixture
def small(make_plan: Callable[..., Any], make_evidence: Callable[..., Any]) -> bytes:
    """A signed document of two pixels and four samples."""
    plan, question = make_plan(2, votes=1), Question(1, 4, 0.001, "anytime", "2")
    evidence = make_evidence(plan, np.array([200, 10]), 4)
    made = composed(plan, question, evidence, radius=0.1, label="two")
    return dumps(seal(dumps(made), KEY))


def test_the_encoding_is_that_of_the_specification() -> None:
    """DSSE 1.0.2, protocol.md, section Test Vectors."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected
    assert pae("ü", b"") == b"DSSEv1 2 \xc3\xbc 0 "


def test_the_key_is_named_by_the_digest_of_its_raw_bytes() -> None:
    """SHA-256 of RFC 8032's first public key, by sha256sum."""
    assert KEY.public_key().public_bytes_raw() == PUBLIC
    expected = "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"
    assert keyid(KEY.public_key()) == expected


def test_a_signed_document_reads_and_verifies_as_the_bare_one(
    document: JSON, sealed: bytes
) -> None:
    bare, signed = verify(dumps(document)), verify(sealed, KEY.public_key())
    assert signed.holds and signed.words == bare.words
    assert [check.name for check in signed.checks] == ["signature", *(c.name for c in bare.checks)]
    assert loads(sealed).evidence_digest == loads(dumps(document)).evidence_digest
    assert base64.b64decode(json.loads(sealed)["payload"]) == dumps(document)


def test_without_the_key_the_report_says_who_is_named_and_that_nobody_checked(
    document: JSON, sealed: bytes
) -> None:
    report = verify(sealed)
    assert report.holds
    assert keyid(KEY.public_key()) in report.signature and "NOT checked" in report.signature
    assert report.signature in render(report, "x")
    assert "not signed" in verify(dumps(document)).signature


def test_an_unsigned_document_does_not_hold_against_a_key(document: JSON) -> None:
    report = verify(dumps(document), KEY.public_key())
    assert [(check.name, check.holds) for check in report.checks] == [("signature", False)]
    assert report.words == ()


def test_another_key_does_not_verify_and_both_are_named(sealed: bytes) -> None:
    report = verify(sealed, OTHER.public_key())
    assert not report.holds and report.words == ()
    assert keyid(KEY.public_key()) in report.checks[0].found
    assert keyid(OTHER.public_key()) in report.checks[0].found


def test_a_borrowed_key_name_does_not_verify(document: JSON) -> None:
    forged = seal(dumps(document), OTHER)
    forged["signatures"][0]["keyid"] = keyid(KEY.public_key())
    report = verify(dumps(forged), KEY.public_key())
    assert [(c.name, c.holds, c.found) for c in report.checks] == [
        ("signature", False, "is not of these bytes")
    ]


def test_the_payload_of_another_envelope_does_not_verify(document: JSON, small: bytes) -> None:
    swapped = json.loads(small) | {"payload": seal(dumps(document), KEY)["payload"]}
    assert verify(dumps(swapped)).holds, "it would hold but for the signature"
    assert not verify(dumps(swapped), KEY.public_key()).holds


def test_nothing_is_read_before_the_signature_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = json.loads(dumps(seal(b"not even JSON", OTHER)))
    monkeypatch.setattr("certify.verify.contents", lambda _: pytest.fail("read too early"))
    assert not verify(dumps(hostile), KEY.public_key()).holds


def test_every_bit_of_a_small_document_matters(small: bytes) -> None:
    public = KEY.public_key()
    assert verify(small, public).holds
    for place in range(len(small)):
        for bit in range(8):
            data = bytearray(small)
            data[place] ^= 1 << bit
            assert not verify(bytes(data), public).holds, (place, bit)


def test_no_other_way_to_write_the_signature(small: bytes) -> None:
    """All of both base64 alphabets in every place, unused bits and padding among them."""
    public, start = KEY.public_key(), small.index(b'"sig":"') + 7
    for place in range(start, start + 88):
        for character in (string.ascii_letters + string.digits + "+/-_=").encode():
            data = bytearray(small)
            data[place] = character
            assert data == small or not verify(bytes(data), public).holds, (place, character)


@settings(max_examples=300)
@given(place=st.integers(0, 10**9), byte=st.integers(0, 255))
def test_no_byte_of_a_document_changes_unnoticed(sealed: bytes, place: int, byte: int) -> None:
    data = bytearray(sealed)
    data[place % len(data)] = byte
    assert data == sealed or not verify(bytes(data), KEY.public_key()).holds


def edited(sealed: bytes, **changes: object) -> bytes:
    return json.dumps(json.loads(sealed) | changes).encode()


def test_each_rule_of_the_envelope_is_named_when_broken(sealed: bytes) -> None:
    honest = json.loads(sealed)
    one = honest["signatures"][0]
    broken: dict[str, dict[str, object]] = {
        "envelope: unknown fields is ['note']": {"note": "hello"},
        "envelope.payloadType is 'application/json'": {"payloadType": "application/json"},
        "envelope.payloadType is 7": {"payloadType": 7},
        "envelope.signatures is 2; it must be one signature": {"signatures": [one, one]},
        "envelope.signatures is 0": {"signatures": []},
        "envelope.signatures is 'dict'": {"signatures": one},
        "envelope.signatures[0] is 'str'": {"signatures": ["x"]},
        "unknown fields is ['alg']": {"signatures": [one | {"alg": "none"}]},
        "missing fields is ['keyid']": {"signatures": [{"sig": one["sig"]}]},
        "envelope keyid is 'A'": {"signatures": [one | {"keyid": "A"}]},
        "envelope keyid is 5": {"signatures": [one | {"keyid": 5}]},
        "envelope sig is not base64": {"signatures": [one | {"sig": "!"}]},
        "size of envelope sig is 2; it must be 64 bytes": {"signatures": [one | {"sig": "AAA="}]},
        "envelope sig is 'written another way'": {"signatures": [one | {"sig": "AAB="}]},
        "envelope.payload is 'int'; it must be base64 text": {"payload": 7},
    }
    for message, changes in broken.items():
        for key in (None, KEY.public_key()):
            (check,) = verify(edited(sealed, **changes), key).checks
            assert (check.name, check.holds) == ("format", False)
            assert message in check.found


def test_a_signature_does_not_excuse_what_is_inside(document: JSON, sealed: bytes) -> None:
    public = KEY.public_key()
    forged = json.loads(dumps(document))
    forged["certificate"]["curve"][0]["radius"] = 9.0
    lies, spaced = dumps(seal(dumps(forged), KEY)), json.dumps(document).encode()
    assert [c.name for c in verify(lies, public).checks if not c.holds] == ["claims"]
    for payload, message in (
        (spaced, "canonical JSON, RFC 8785"),
        (sealed, "unknown fields"),
        (b"[" * 900 + b"]" * 900, "must"),
        (b"[" * 9000, "not JSON"),
        (b"\xff", "not JSON"),
    ):
        report = verify(dumps(seal(payload, KEY)), public)
        assert report.checks[0].holds and not report.holds
        assert message in report.checks[1].found


def test_white_space_around_the_envelope_says_nothing(sealed: bytes) -> None:
    assert verify(json.dumps(json.loads(sealed), indent=2).encode(), KEY.public_key()).holds
    assert envelope(json.loads(sealed)).payload_type == PAYLOAD_TYPE


def test_only_public_ed25519_keys_are_taken() -> None:
    assert keyid(public_key(pem(KEY.public_key()))) == keyid(KEY.public_key())
    secret = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for data, message in (
        (secret, "private key; give the public one"),
        (pem(elliptic(SECP256R1()).public_key()), "not Ed25519"),
        (b"hello", "no PEM file"),
    ):
        with pytest.raises(ValueError, match=message):
            public_key(data)


def test_the_command_checks_with_a_key(
    document: JSON, sealed: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signed, bare, key, junk = (tmp_path / n for n in ("signed.json", "bare.json", "a.pub", "junk"))
    signed.write_bytes(sealed)
    bare.write_bytes(dumps(document))
    key.write_bytes(pem(KEY.public_key()))
    junk.write_text("junk")
    assert main([str(signed), "--key", str(key)]) == 0
    assert capsys.readouterr().out.startswith("ok      signature: made with key")
    assert main([str(bare), "--key", str(key)]) == 1
    assert "FAILED  signature: there is none" in capsys.readouterr().out
    assert main([str(signed), "--key", str(junk)]) == 2
    assert "cannot use" in capsys.readouterr().err
    assert main([str(signed), "--key", str(tmp_path / "none")]) == 2
    assert "none: No such file" in capsys.readouterr().err


def test_a_document_cannot_steer_the_terminal(document: JSON) -> None:
    hostile = json.loads(dumps(document))
    hostile["subject"]["label"] = "\x1b[2Jcat\nok      all is well"
    report = verify(dumps(hostile))
    assert not report.holds
    shown = render(report, "x.json")
    assert "\x1b" not in shown and "\nok      all" not in shown
