"""The worker: one message in, one reply out, whatever the message was."""

import itertools
import os

import numpy as np
import pytest
import zmq

from service.pool import messages
from service.pool.frames import decode_reply, encode
from service.pool.messages import Array, Draw, Failure, Look, Ping
from service.pool.worker_process import Worker, options
from tests.service import fake_worker
from tests.service.fake_worker import BROKEN, IMAGE, plan

PICTURE = Array.of(IMAGE)
ports = itertools.count()


@pytest.fixture
def ends():
    """A pool's socket and a worker connected to it, both in this process."""
    context = zmq.Context.instance()
    address = f"inproc://ends-{next(ports)}"
    with context.socket(zmq.ROUTER) as router:
        router.bind(address)
        worker = Worker(fake_worker.desk(), address, "seven")
        yield router, worker
        worker.close()


def hear(router):
    name, frame = router.recv_multipart()
    assert name == b"seven"
    return decode_reply(frame)


def ask(router, worker, frame):
    router.send_multipart([b"seven", frame])
    assert worker.run_once()
    return hear(router)


def test_ready_comes_first_and_says_where(ends):
    router, worker = ends
    worker.announce()
    assert hear(router) == (0, messages.Ready(os.getpid(), "fake", 1, ()))


def test_nothing_comes_nothing_happens(ends):
    router, worker = ends
    assert not worker.run_once(wait_milliseconds=1)
    assert not router.poll(0)


def test_every_request_is_answered_under_its_ticket(ends):
    router, worker = ends
    worker.announce()
    hear(router)
    ticket, drawn = ask(router, worker, encode(41, Draw(plan(), PICTURE, 2, 9)))
    assert ticket == 41
    expected = fake_worker.Fake().draw(plan(), IMAGE, 2, 9)
    assert drawn.evidence().digest() == expected.digest()
    assert ask(router, worker, encode(42, Ping()))[1].models == ("fake",)


@pytest.mark.parametrize(
    ("frame", "ticket", "kind", "words"),
    [
        (b"", 0, "malformed", "not an envelope"),
        (b"\xff" * 40, 0, "malformed", "not an envelope"),
        (encode(6, Ping()).replace(b"ping", b"pong"), 6, "malformed", "pong"),
        (encode(7, Look("none", PICTURE, None)), 7, "refused", "model 'none' is unknown"),
        (encode(7, Look("lost", PICTURE, None)), 7, "unavailable", "weights of lost are missing"),
        (encode(8, Look("fake", Array("uint8", (9, 9), b"x"), None)), 8, "refused", "takes 81"),
        (encode(8, Look("fake", Array.of(np.zeros(3)), None)), 8, "refused", "expected an array"),
        (encode(9, Draw(plan(BROKEN), PICTURE, 0, 4)), 9, "error", "the network fell over"),
    ],
)
def test_bad_messages_are_answered_and_survived(ends, frame, ticket, kind, words):
    router, worker = ends
    worker.announce()
    hear(router)
    heard, failure = ask(router, worker, frame)
    assert isinstance(failure, Failure)
    assert (heard, failure.kind) == (ticket, kind)
    assert words in failure.detail
    assert isinstance(ask(router, worker, encode(10, Ping()))[1], messages.Ready)


def test_it_ends_when_the_parent_is_another(ends):
    _, worker = ends
    worker.run_forever(parent=os.getppid() + 1)


def test_options_are_what_the_pool_passes():
    chosen = options(["--connect", "ipc://x", "--name", "a", "--parent", "3", "--threads", "2"])
    assert (chosen.connect, chosen.name, chosen.parent) == ("ipc://x", "a", 3)
    assert (chosen.device, chosen.threads) == ("auto", 2)
