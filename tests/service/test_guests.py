"""Workers in a container of their own: they come to a socket file, are watched where they are, and
work goes on when either side starts anew."""

import asyncio
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service import probe
from service.fitness import Unfit
from service.pool.guests import Guest, place
from service.pool.keeper import Keeper, keep
from service.pool.peers import Limits
from service.pool.workers import WorkerPool
from service.settings import Settings
from tests.service import fake_worker
from tests.service.fake_worker import IMAGE, Fake, plan

COMMAND = (sys.executable, fake_worker.__file__)
EXPECTED = Fake().draw(plan(), IMAGE, 0, 24).digest()


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@asynccontextmanager
async def keeping(folder, count=1, **limits):
    """A keeper of fake workers for the pool in this folder."""
    settings = Settings(pool=folder / "pool", workers=count, device="cpu")
    pulses = folder / "pulses"
    pulses.mkdir(exist_ok=True)
    stopping = asyncio.Event()
    keeper = Keeper(settings, pulses, Limits(**limits), COMMAND)
    task = asyncio.create_task(keeper.run(stopping))
    try:
        yield keeper
    finally:
        stopping.set()
        await task


@asynccontextmanager
async def hosting(folder, **limits):
    pool = WorkerPool(guests=folder / "pool", limits=Limits(**limits))
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


def run(story):
    asyncio.run(asyncio.wait_for(story, 60))


async def working(pool, count=1):
    """Wait until so many workers answer; their process ids."""
    while True:
        members = [m for m in (await pool.heartbeat()).workers if m.state in ("idle", "busy")]
        if len(members) >= count:
            return [m.pid for m in members]
        await asyncio.sleep(0.02)


def test_guests_come_and_do_the_work(tmp_path):
    async def story():
        async with hosting(tmp_path) as pool:
            assert not (await pool.heartbeat()).ready
            async with keeping(tmp_path, 2):
                assert len(set(await working(pool, 2))) == 2
                assert (await pool.draw(plan(), IMAGE, 0, 24)).digest() == EXPECTED
                assert pool.pace.workers == 2

    run(story())


def test_a_new_pool_finds_the_old_workers(tmp_path):
    async def story():
        async with keeping(tmp_path):
            async with hosting(tmp_path) as pool:
                before = await working(pool)
            async with hosting(tmp_path) as pool:
                assert await working(pool) == before
                assert (await pool.draw(plan(), IMAGE, 0, 24)).digest() == EXPECTED

    run(story())


def test_work_of_a_guest_that_dies_is_done_by_the_next_one(tmp_path):
    async def story():
        async with hosting(tmp_path) as pool, keeping(tmp_path):
            (pid,) = await working(pool)
            work = asyncio.create_task(pool.draw(plan(), IMAGE, 0, 2000))
            while not any(peer.at_work for peer in pool._peers):
                await asyncio.sleep(0.01)
            os.kill(pid, signal.SIGKILL)
            assert (await work).digest() == Fake().draw(plan(), IMAGE, 0, 2000).digest()
            assert await working(pool) != [pid]
            assert (await pool.draw(plan(), IMAGE, 0, 24)).digest() == EXPECTED

    run(story())


def test_a_keeper_that_starts_anew_brings_new_workers_to_the_same_places(tmp_path):
    async def story():
        async with hosting(tmp_path) as pool:
            async with keeping(tmp_path):
                before = await working(pool)
            async with keeping(tmp_path):
                while await working(pool) == before:
                    await asyncio.sleep(0.02)
                assert (await pool.draw(plan(), IMAGE, 0, 24)).digest() == EXPECTED
                assert len((await pool.heartbeat()).workers) == 1

    run(story())


def test_a_hung_guest_is_not_ready_and_its_keeper_replaces_it(tmp_path):
    async def story():
        async with (
            hosting(tmp_path, heartbeat=0.5, message=2) as pool,
            keeping(tmp_path, message=2),
        ):
            (pid,) = await working(pool)
            os.kill(pid, signal.SIGSTOP)
            while (await pool.heartbeat()).ready:
                await asyncio.sleep(0.02)
            assert await working(pool) != [pid]
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    run(story())


def test_the_pulse_is_what_the_probe_of_a_container_sees(tmp_path, monkeypatch):
    monkeypatch.setattr(probe.tempfile, "gettempdir", lambda: str(tmp_path))
    assert probe.main(["--workers"]) == 1
    pulse = tmp_path / f"{probe.PULSES}x" / "worker-0.1"
    pulse.parent.mkdir()
    pulse.touch()
    assert probe.main(["--workers"]) == 0
    os.utime(pulse, (time.time() - 600,) * 2)
    assert probe.main(["--workers"]) == 1


def test_the_probe_of_a_server_that_is_not_there_fails(monkeypatch):
    monkeypatch.setenv("AFFIDAVIT_PORT", "1")
    assert probe.main([]) == 1


def test_a_keeper_without_a_pool_says_what_is_missing():
    with pytest.raises(Unfit, match="setting pool"):
        asyncio.run(keep(Settings(device="cpu")))


def test_a_place_outlives_who_takes_it():
    gone = []
    guest = Guest(place("box-0.a-1"), lambda seat, fate: gone.append(fate))
    guest.admit("box-0.a-1")
    guest.admit("box-0.a-1")
    assert (guest.starts, gone, guest.running) == (1, [], True)
    guest.admit("box-0.b-1")
    assert (guest.starts, gone) == (2, ["box-0.a-1 was replaced by box-0.b-1"])
    guest.kill()
    assert (guest.running, guest.down, len(gone)) == (False, True, 2)
