"""The store as the event loop sees it: functions over a connection, each one transaction, run in
threads of their own so that neither disk nor network holds up an answer."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL

from service.store import opening

Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")
# SQLite has one writer at a time anyway; more threads would only wait for each other.
THREADS = {opening.SQLITE: 1, opening.POSTGRESQL: 4}


class Store:
    """A store at a URL; without one, a file in `folder`. Open between start() and stop()."""

    def __init__(self, url: str | None, folder: Path) -> None:
        self._url, self._folder = url, folder
        self._engine: Engine | None = None
        self._threads: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Open it, unless it is, and bring its schema up to date. Raises BadStore."""
        if self._engine is not None:
            return
        url: URL = opening.address(self._url, self._folder)
        self._engine = opening.engine(url)
        opening.private(url)
        threads = THREADS[url.get_backend_name()]
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store")

    def stop(self) -> None:
        """Finish what was begun and close it."""
        if self._threads is not None:
            self._threads.shutdown()
        if self._engine is not None:
            self._engine.dispose()
        self._threads, self._engine = None, None

    def now(
        self,
        function: Callable[Concatenate[Connection, Arguments], Found],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Found:
        """What `function` returns, run in one transaction, here."""
        if self._engine is None:
            raise RuntimeError("the store is not open; start() it first")
        with self._engine.begin() as connection:
            return function(connection, *arguments, **named)

    async def do(
        self,
        function: Callable[Concatenate[Connection, Arguments], Found],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Found:
        """What `function` returns, run in one transaction, in a thread of the store."""
        if self._threads is None:
            raise RuntimeError("the store is not open; start() it first")

        def work() -> Found:
            return self.now(function, *arguments, **named)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
