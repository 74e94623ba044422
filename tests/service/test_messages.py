"""Messages: everything survives the wire, and nothing but a message of this version gets in."""

from contextlib import suppress

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certify.evidence import VOTES_FEATURES, Evidence
from service.pool import messages
from service.pool.frames import VERSION, decode_reply, decode_request, encode
from service.pool.messages import Array, BadMessage
from tests.service.fake_worker import IMAGE, plan

PICTURE = Array.of(IMAGE)
REQUESTS = (
    messages.Ping(),
    messages.Look("fake", PICTURE, None),
    messages.Look("fake", PICTURE, 3),
    messages.Draw(plan(), PICTURE, 4, 9),
    messages.Together(
        (messages.Draw(plan(), PICTURE, 4, 9), messages.Average(plan(1), PICTURE, 0, 3))
    ),
    messages.Average(plan(), PICTURE, 0, 1),
)
VOTES = np.eye(6, dtype=bool)[:3]
DRAWN = messages.Drawn.of(Evidence.from_votes(4, VOTES, np.zeros(3, np.int32)))
REPLIES = (
    messages.DrawnTogether((DRAWN, messages.Averaged(Array.of(np.ones(4))))),
    messages.Ready(7, "cpu", 2, ("a", "b")),
    messages.Looked(PICTURE, 1, Array.of(np.ones((2, 3), np.float32))),
    messages.Averaged(Array.of(np.array([1.5, 2.5]))),
    messages.Failure("refused", "no such model"),
)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: type(r).__name__)
def test_requests_survive(request_):
    assert decode_request(encode(12, request_)) == (12, request_)


@pytest.mark.parametrize("reply", REPLIES, ids=lambda r: type(r).__name__)
def test_replies_survive(reply):
    assert decode_reply(encode(3, reply)) == (3, reply)


@pytest.mark.parametrize("features", [9, VOTES_FEATURES + 1])
def test_evidence_survives(features):
    votes = np.random.Generator(np.random.Philox(1)).random((5, features)) < 0.5
    evidence = Evidence.from_votes(3, votes, np.arange(5, dtype=np.int32))
    _, reply = decode_reply(encode(1, messages.Drawn.of(evidence)))
    assert isinstance(reply, messages.Drawn)
    assert reply.evidence().digest() == evidence.digest()


@pytest.mark.parametrize("dtype", messages.TYPES)
def test_arrays_survive_and_are_fresh(dtype):
    array = np.arange(12).reshape(3, 4)[:, ::2].astype(dtype)
    opened = Array.of(array).open()
    np.testing.assert_array_equal(opened, array)
    assert opened.dtype == array.dtype
    opened[0, 0] = 1


def test_array_of_another_type_does_not_travel():
    with pytest.raises(BadMessage, match="float16 does not travel"):
        Array.of(np.zeros(2, np.float16))


@pytest.mark.parametrize("shape", [(4,), (2, 2), (1 << 62, 4)])
def test_array_must_fill_its_shape(shape):
    with pytest.raises(BadMessage, match="not 3"):
        Array("uint8", shape, b"abc").open()


def test_array_of_the_wrong_type_is_refused():
    with pytest.raises(BadMessage, match="expected an array of uint8, got float64"):
        messages.typed(Array.of(np.zeros(2)), np.uint8)


def _frame(version=VERSION, ticket=5, **body):
    packed = msgspec.Raw(msgspec.msgpack.encode(body))
    return msgspec.msgpack.encode({"version": version, "ticket": ticket, "body": packed})


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (_frame(version=VERSION + 1, op="ping"), f"version {VERSION + 1}; this process speaks"),
        (_frame(op="shell"), "shell"),
        (_frame(op="ping", extra=1), "extra"),
        (_frame(op="together", parts=[]), "parts"),
        *(
            (_frame(op="together", parts=[{"op": op}]), "parts")
            for op in ("ping", "look", "together")
        ),
        (_frame(op="look", model="m", image=3, target=None), "image"),
        (_frame(op="look", model="m" * 201, image=3, target=None), "model"),
        (encode(5, messages.Failure("error", "a reply is no request")), "failure"),
    ],
)
def test_what_is_not_a_request_is_refused_by_its_ticket(frame, words):
    with pytest.raises(BadMessage, match=words) as caught:
        decode_request(frame)
    assert caught.value.ticket == 5


def test_a_plan_that_breaks_its_rules_is_no_message():
    body = msgspec.to_builtins(messages.Draw(plan(), PICTURE, 0, 1))
    body["plan"]["recipe"]["votes"] = 6
    with pytest.raises(BadMessage, match="fewer than the 6 features"):
        decode_request(_frame(**body))


@given(st.binary(max_size=60))
def test_noise_is_refused(noise):
    with pytest.raises(BadMessage):
        decode_request(noise)


@given(st.integers(0, 400), st.integers(1, 255), st.booleans())
def test_damaged_frames_raise_nothing_else(place, change, cut):
    frame = bytearray(encode(1, messages.Draw(plan(), PICTURE, 0, 1)))
    frame[place % len(frame)] ^= change
    with suppress(BadMessage):
        decode_request(bytes(frame[:place] if cut else frame))
