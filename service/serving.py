"""Running the server: uvicorn around the application, and word when it is ready."""

import asyncio
import logging
import socket
import time
from importlib import import_module
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from rich.console import Console

from service import logs, tracing
from service.app import create_app
from service.commands.output import curl_line
from service.context import Service
from service.edge import patience
from service.fitness import Unfit, check
from service.pool import tuning
from service.pool.peers import Limits
from service.pool.pools import Pool
from service.pool.workers import WorkerPool
from service.settings import Settings, bundled_photo

log = logging.getLogger(__name__)
POLL_SECONDS = 0.1
# Once the server is to end, requests may still take AFFIDAVIT_DRAIN_SECONDS. After that they are
# answered with where their job is, or 503, and whoever does not take that answer is cut off.
FAREWELL_SECONDS = 10
# Many clients give up a quiet connection after 5 s. Where the server does so at the same moment, a
# request that is just being sent is lost, so it waits longer than they.
KEEP_ALIVE_SECONDS = 30
EVERYWHERE = ("0.0.0.0", "::")


def worker_pool(settings: Settings) -> WorkerPool:
    """The pool of worker processes that the settings describe."""
    return WorkerPool(
        settings.workers,
        device=settings.device,
        chunk_seconds=settings.chunk_seconds,
        limits=Limits(message=settings.hang_seconds, heartbeat=settings.heartbeat_seconds),
        guests=settings.pool,
        reserve=settings.reserve,
    )


async def serve(settings: Settings, console: Console) -> None:
    """Serve until interrupted; says the address at once and a curl line when workers answer.

    Raises OSError if the address is taken or not ours, BadKey for a signing key that is not fit,
    BadStore if jobs could not be kept, Unfit if no request could be answered.
    """
    check(settings)
    logs.configure(settings.log_format)
    if settings.tracing:
        tracing.configure()
    pool = worker_pool(settings)
    app, listening = create_app(settings, pool), _listen(settings)
    app.state.service.store.start()
    if lacking := app.state.service.keys.lacking():
        listening.close()
        app.state.service.store.stop()
        raise Unfit(lacking)
    server, url = (
        uvicorn.Server(configuration(app, settings)),
        address(settings.host, listening.getsockname()[1]),
    )
    console.print(f"affidavit serves on {url}", highlight=False, soft_wrap=True)
    signer = app.state.service.signer
    signs = f"signed with key {signer.keyid}" if signer else "not signed"
    console.print(f"documents are {signs}", highlight=False, soft_wrap=True)
    for line in tuning.remembered(settings):
        log.info("tuned here: %s", line)
    herald = asyncio.create_task(_herald(pool, server, url, settings, console))
    farewell = asyncio.create_task(_farewell(app.state.service, server))
    try:
        await server.serve(sockets=[listening])
    finally:
        herald.cancel()
        farewell.cancel()
        listening.close()


def configuration(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How the application is put behind a socket."""
    return uvicorn.Config(
        app,
        http=patience.protocol(settings.arrival_seconds),
        # Nothing here speaks it, and each way in is one more to guard.
        ws="none",
        server_header=False,
        log_level="warning",
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.drain_seconds) + FAREWELL_SECONDS,
    )


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # By its number of the protocol asyncio knows TCP, and does not let small answers wait 40 ms for
    # the acknowledgement of their heads.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError:
        listening.close()
        raise
    return listening


def address(host: str, port: int) -> str:
    """The URL to reach a server that listens on `host` and `port` from this machine."""
    shown = "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


async def _herald(
    pool: Pool, server: uvicorn.Server, url: str, settings: Settings, console: Console
) -> None:
    """Say when a worker answers, with a line to try."""
    while not server.started:
        await asyncio.sleep(POLL_SECONDS)
    # What the first certificate needs is loaded while the workers load what they need.
    await asyncio.to_thread(import_module, "scipy.special")
    while not (await pool.heartbeat()).ready:
        await asyncio.sleep(POLL_SECONDS)
    line = curl_line(url, _near(bundled_photo()), settings.default_model)
    console.print("ready. Try it from another terminal:\n", highlight=False)
    console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"\ninterface: {url}/openapi.json", highlight=False, soft_wrap=True)


async def _farewell(service: Service, server: uvicorn.Server) -> None:
    """Once the server is to end, let requests finish for a while, keep jobs, fail the others."""
    while not server.should_exit:
        await asyncio.sleep(POLL_SECONDS)
    seconds = service.settings.drain_seconds
    deadline = time.monotonic() + seconds
    await service.runner.stop(seconds)
    while server.server_state.tasks and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
    await service.pool.stop()


def _near(path: Path) -> Path:
    """`path` relative to the working folder, where that is shorter; a name where there is none."""
    if not path.exists():
        return Path("photo.jpg")
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
