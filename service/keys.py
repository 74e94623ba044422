"""The operator's signing key: made once, kept in a file, read when the service starts.

The private key is PKCS8 PEM, readable by its owner alone; the public one lies beside it as FILE.pub
and goes to whoever is to check documents. The private key leaves this module as signatures only.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from certify.document import dumps
from certify.signature import UNSIGNED, keyid, public_key, seal

PRIVATE_MODE, PUBLIC_MODE = 0o600, 0o644
# A key file has some hundred bytes; whoever names another file by mistake should not have it read.
LARGEST_BYTES = 1 << 14


class BadKey(ValueError):
    """A key file that cannot be made or used; says which file, why, and what to do."""


@dataclass(frozen=True)
class Signer:
    """Signs documents with one key."""

    _key: Ed25519PrivateKey = field(repr=False)

    @property
    def keyid(self) -> str:
        """SHA-256 of the raw public key, in hexadecimal."""
        return keyid(self._key.public_key())

    def seal(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The document's canonical bytes in a signed envelope, as a JSON object."""
        return seal(dumps(document), self._key)


def issue(document: dict[str, Any], signer: Signer | None) -> tuple[dict[str, Any], str]:
    """The document as it leaves the house, signed if there is a key; and that in words.

    The one place where documents are signed, for the server and the command line alike.
    """
    if signer is None:
        return document, UNSIGNED
    return signer.seal(document), f"It is signed with the key {signer.keyid}."


def signer(path: Path | None) -> Signer | None:
    """The signer of the key in this file; None without a file. Raises BadKey."""
    return None if path is None else Signer(private(path))


def new(path: Path) -> str:
    """Make a key: the private half in `path`, the public one in `path`.pub; returns the keyid.

    Raises BadKey if either is there already: a key that was overwritten signs nothing any more.
    """
    public_path = beside(path)
    for each in (path, public_path):
        if each.exists():
            raise BadKey(f"{each} is there already and is never overwritten; choose another name")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _create(path, secret, PRIVATE_MODE)
    _create(public_path, pem(key.public_key()), PUBLIC_MODE)
    return keyid(key.public_key())


def beside(path: Path) -> Path:
    """Where the public half of the key in `path` lies."""
    return path.with_name(f"{path.name}.pub")


def pem(key: Ed25519PublicKey) -> bytes:
    """The public key as a PEM file."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public(path: Path) -> Ed25519PublicKey:
    """The public key in a file, or the public half of the private one in it. Raises BadKey."""
    data = _read(path)
    if b"PRIVATE KEY" in data:
        return private(path).public_key()
    try:
        return public_key(data)
    except ValueError as error:
        raise BadKey(f"{path}: {error}") from error


def private(path: Path) -> Ed25519PrivateKey:
    """The private key in a file that nobody but its owner can read. Raises BadKey."""
    data = _read(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BadKey(f"{path} has mode {mode:04o}: others can read the key; chmod 600 {path}")
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise BadKey(f"{path} is encrypted; keys are kept unencrypted with mode 0600") from None
    except (ValueError, UnsupportedAlgorithm):
        advice = "make one with `affidavit keys new FILE`"
        raise BadKey(f"{path} is no PEM file of a private key; {advice}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{path} is not an Ed25519 key; make one with `affidavit keys new FILE`")
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES)
    except OSError as error:
        raise BadKey(f"cannot read the key {path}: {error.strerror}") from error


def _create(path: Path, data: bytes, mode: int) -> None:
    """Write a file that nobody else has ever been able to read with more than `mode`."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise BadKey(f"cannot write the key {path}: {error.strerror}") from error
    with os.fdopen(handle, "wb") as file:
        file.write(data)
