"""The end of a pool, wanted or not: nothing is left behind."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from service.pool import wire
from service.pool.pools import (
    WorkerLost,
)
from tests.service.fake_worker import (
    IMAGE,
    SLOW,
    plan,
)
from tests.service.pools import COMMAND, ROOT, gone, ready, run, state

pytestmark = pytest.mark.usefixtures("importable")


def test_stop_leaves_nothing_behind(monkeypatch, tmp_path):
    monkeypatch.setattr(wire.tempfile, "tempdir", str(tmp_path))

    async def story(pool):
        pids = [member.pid for member in await ready(pool, 2)]
        waiting = asyncio.create_task(pool.draw(plan(SLOW), IMAGE, 0, 400))
        await state(pool, "busy")
        assert len(list(tmp_path.iterdir())) == 1
        await pool.stop()
        with pytest.raises(WorkerLost):
            await waiting
        return pids

    pids = run(story, 2)
    assert all(gone(pid, 0.1) for pid in pids)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_pool_refuses_and_starts_again():
    async def story(pool):
        await pool.stop()
        with pytest.raises(WorkerLost, match="not running"):
            await pool.look("fake", IMAGE, None)
        await pool.start()
        return await pool.draw(plan(), IMAGE, 0, 8)

    assert run(story).samples == 8


def test_a_socket_path_that_is_too_long_is_explained(monkeypatch, tmp_path):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(wire.tempfile, "tempdir", str(deep))
    with pytest.raises(OSError, match="set TMPDIR to a shorter folder"):
        wire.Wire()
    assert list(deep.iterdir()) == []


PARENT = """
import asyncio, signal, sys
from service.pool.workers import WorkerPool
from tests.service.fake_worker import IMAGE, SLOW, plan

async def main():
    pool = WorkerPool(1, command={command!r})
    await pool.start()
    try:
        while not (health := await pool.heartbeat()).ready:
            await asyncio.sleep(0.02)
        print(health.workers[0].pid, flush=True)
        await pool.draw(plan(SLOW if {busy} else 0), IMAGE, 0, 4)
        await asyncio.sleep(60)
    finally:
        await pool.stop()

# A shell that starts the tests in the background has them ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.fixture
def parent(tmp_path_factory):
    """Starts a process of its own group that runs a pool; gives it and its worker's pid."""
    started = []
    environment = os.environ | {"TMPDIR": str(tmp_path_factory.mktemp("p"))}

    def start(busy):
        program = PARENT.format(command=COMMAND, busy=busy)
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        started.append(process)
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's")
@pytest.mark.parametrize("busy", [True, False])
def test_a_killed_parent_takes_its_worker_along(parent, busy):
    process, worker = parent(busy)
    process.kill()
    process.wait(10)
    assert gone(worker)


def test_an_interrupt_ends_all_without_a_traceback(parent):
    process, worker = parent(True)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (out, err) == ("interrupted\n", "")
    assert gone(worker, 0.1)
