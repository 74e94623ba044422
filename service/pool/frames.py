"""Messages as bytes: one frame holds one Envelope with the version, a ticket and a message.

A reply carries the ticket of its request. Frames of other versions are refused.
"""

from typing import TypeVar

import msgspec

from service.pool.messages import BadMessage, Count, Reply, Request

VERSION = 3  # of this module and of `messages`
LARGEST_FRAME = 256 << 20


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one frame holds. The body stays raw until the version is known to be ours."""

    version: int
    ticket: Count
    body: msgspec.Raw


def encode(ticket: int, message: Request | Reply) -> bytes:
    """One frame."""
    body = msgspec.Raw(msgspec.msgpack.encode(message))
    return msgspec.msgpack.encode(Envelope(VERSION, ticket, body))


_ENVELOPE = msgspec.msgpack.Decoder(Envelope)
_REQUEST: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_REPLY: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def decode_request(frame: bytes) -> tuple[int, Request]:
    """Ticket and request of a frame; BadMessage says what is wrong with it."""
    return _decode(frame, _REQUEST)


def decode_reply(frame: bytes) -> tuple[int, Reply]:
    """Ticket and reply of a frame; BadMessage says what is wrong with it."""
    return _decode(frame, _REPLY)


Body = TypeVar("Body", Request, Reply)


def _decode(frame: bytes, decoder: msgspec.msgpack.Decoder[Body]) -> tuple[int, Body]:
    try:
        envelope = _ENVELOPE.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"not an envelope: {error}") from None
    if envelope.version != VERSION:
        rule = f"this process speaks version {VERSION}"
        raise BadMessage(f"message of version {envelope.version}; {rule}", envelope.ticket)
    try:
        return envelope.ticket, decoder.decode(envelope.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(f"not a message: {error}", envelope.ticket) from None
