"""`affidavit api-keys`: who may ask the server, on the command line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from service import api_keys
from service.commands.complaints import Impossible, complaints
from service.commands.serve import settings
from service.store import api_keys as kept
from service.store.store import Store

app = typer.Typer(
    help="Give callers keys and take them away.\n\nExample: affidavit api-keys add alice",
    no_args_is_help=True,
)
said = Console()
LONGEST_NAME = 100

Name = Annotated[str, typer.Argument(help="Whose key it is; callers never see the name.")]
Quota = Annotated[
    int | None, typer.Option(min=1, help="Noise samples an hour; else AFFIDAVIT_SAMPLES_AN_HOUR.")
]


@app.command()
def add(name: Name, samples_an_hour: Quota = None) -> None:
    """Make a key for NAME and print it, this once: only its SHA-256 is kept.

    Example: affidavit api-keys add alice --samples-an-hour 100000

    Callers send it as `Authorization: Bearer KEY`. From the first key on, the server wants one.
    """
    with complaints(), _store() as store:
        if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
            raise Impossible(f"a name has 1 to {LONGEST_NAME} printable characters")
        key, entry = api_keys.fresh(name, time.time(), samples_an_hour)
        if not store.now(kept.add, entry):
            raise Impossible(f"there is a key for {name} already; remove it first")
        _say(key)


@app.command("list")
def list_keys() -> None:
    """List whose keys there are, since when, and their quotas.

    Example: affidavit api-keys list
    """
    with complaints(), _store() as store:
        for entry in store.now(kept.entries):
            since = datetime.fromtimestamp(entry.created, UTC).isoformat(timespec="seconds")
            quota = f"{entry.samples_an_hour} samples an hour" if entry.samples_an_hour else ""
            _say(f"{entry.name}  {since}  {quota}".rstrip())


@app.command()
def remove(name: Name) -> None:
    """Take the key of NAME away; running servers refuse it within seconds.

    Example: affidavit api-keys remove alice

    Its jobs stay until they expire, and go to the next key of that name.
    """
    with complaints(), _store() as store:
        if not store.now(kept.remove, name):
            raise Impossible(f"there is no key for {name}; see `affidavit api-keys list`")


@contextmanager
def _store() -> Iterator[Store]:
    chosen = settings()
    store = Store(chosen.store_url, chosen.data_dir)
    store.start()
    try:
        yield store
    finally:
        store.stop()


def _say(line: str) -> None:
    said.print(line, highlight=False, markup=False, soft_wrap=True)
