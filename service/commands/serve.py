"""`affidavit serve`, and the worker processes behind it, on the command line."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from service import serving
from service.commands.complaints import Impossible, complaints
from service.pool import keeper, worker_process
from service.pool.allocator import return_memory
from service.settings import Settings

said = Console()

Workers = Annotated[int | None, typer.Option(help="Worker processes.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")]


def settings(**options: Any) -> Settings:
    """The settings of the environment, with what the command line says instead."""
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name, rule = str(first["loc"][0]), first["msg"].removeprefix("Value error, ")
        raise Impossible(f"setting {name} is {first['input']!r}: {rule}") from None


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    workers: Workers = None,
    device: Device = None,
) -> None:
    """Serve explanations and certificates over HTTP.

    Example: affidavit serve --port 8000

    Everything else is set by environment variables; docs/operating.md lists them.
    """
    options = locals()
    return_memory()
    with complaints():
        asyncio.run(serving.serve(settings(**options), said))


def workers(
    pool: Annotated[Path | None, typer.Option(help="Socket file of the server's pool.")] = None,
    workers: Workers = None,
    device: Device = None,
) -> None:
    """Run workers beside a server, in a container of their own.

    Example: affidavit workers --pool /run/affidavit/pool

    The server has the same AFFIDAVIT_POOL, in a folder that both can enter and nobody else.
    """
    options = locals()
    with complaints():
        asyncio.run(keeper.keep(settings(**options)))


def worker(
    connect: Annotated[str, typer.Option(help="Address of the pool's socket.")],
    name: Annotated[str, typer.Option(help="Name of this worker on that socket.")],
    parent: Annotated[int, typer.Option(help="Process id of the pool; the worker ends with it.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    threads: Annotated[int, typer.Option(help="Threads for torch.")] = 1,
) -> None:
    """Run one worker process. It is started by `affidavit serve`, and of no use by hand.

    Example: affidavit worker --connect ipc:///run/pool --name worker-0.1 --parent 4711

    That is how serve starts it: --parent must be the process that does so, or the worker ends.
    """
    own = ["--connect", connect, "--name", name, "--parent", str(parent)]
    worker_process.main([*own, "--device", device, "--threads", str(threads)])
