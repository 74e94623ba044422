"""Who vouches for a document: Ed25519 over the document's bytes, in a DSSE envelope.

DSSE 1.0.2 (github.com/secure-systems-lab/dsse): what is signed is the pre-authentication encoding
of payload type and payload, so that a signature made for one kind of payload never fits another.
We keep to a part of it in which one document has one envelope: exactly one signature, and base64 in
its standard alphabet with padding, so that no byte of the payload or of its signature can change
unnoticed. White space and the order of the envelope's own fields say nothing and may.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from certify.fields import base64_bytes, closed, require

PAYLOAD_TYPE = "application/vnd.affidavit.certificate+json"
SIGNATURE_BYTES = 64
UNSIGNED = "It is not signed: nothing says who made the evidence."
_FIELDS, _SIGNATURE = {"payload", "payloadType", "signatures"}, {"keyid", "sig"}


@dataclass(frozen=True)
class Envelope:
    """A payload, its type, and one signature. `keyid` is a hint and proves nothing by itself."""

    payload: bytes
    payload_type: str
    keyid: str
    signature: bytes

    def signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether this key's owner signed this payload as this type, and the hint says so too."""
        if self.keyid != keyid(key):
            return False
        try:
            key.verify(self.signature, pae(self.payload_type, self.payload))
        except InvalidSignature:
            return False
        return True


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed. Lengths are of bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def keyid(key: Ed25519PublicKey) -> str:
    """SHA-256 of the 32 raw bytes of the public key, in hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def seal(payload: bytes, key: Ed25519PrivateKey) -> dict[str, Any]:
    """The payload, signed: the envelope as a JSON object."""
    signature = key.sign(pae(PAYLOAD_TYPE, payload))
    return {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [
            {
                "keyid": keyid(key.public_key()),
                "sig": base64.b64encode(signature).decode("ascii"),
            }
        ],
    }


def is_envelope(data: object) -> bool:
    """Whether this JSON is an envelope rather than a bare document."""
    return isinstance(data, dict) and "payloadType" in data


def envelope(data: object) -> Envelope:
    """The envelope, read field by field; its signature is not checked. Raises ValueError."""
    parts = closed(data, _FIELDS, "envelope")
    kind = parts["payloadType"]
    require(kind == PAYLOAD_TYPE, "envelope.payloadType", kind, f"be {PAYLOAD_TYPE}")
    signatures = parts["signatures"]
    single = isinstance(signatures, list) and len(signatures) == 1
    count = len(signatures) if isinstance(signatures, list) else type(signatures).__name__
    require(single, "envelope.signatures", count, "be one signature in a JSON array")
    given = closed(signatures[0], _SIGNATURE, "envelope.signatures[0]")
    hint = given["keyid"]
    digits = isinstance(hint, str) and re.fullmatch("[0-9a-f]{64}", hint) is not None
    require(digits, "envelope keyid", hint, "be 64 lower-case hexadecimal digits")
    signature = base64_bytes(given["sig"], "envelope sig")
    size = len(signature)
    require(size == SIGNATURE_BYTES, "size of envelope sig", size, f"be {SIGNATURE_BYTES} bytes")
    return Envelope(base64_bytes(parts["payload"], "envelope.payload"), kind, hint, signature)


def public_key(pem: bytes) -> Ed25519PublicKey:
    """The public key in a PEM file. Raises ValueError unless it is an Ed25519 public key."""
    if b"PRIVATE KEY" in pem:
        raise ValueError("this is a private key; give the public one, which ends in .pub")
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("this is no PEM file of a public key") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("this public key is not Ed25519; documents are signed with Ed25519")
    return key
