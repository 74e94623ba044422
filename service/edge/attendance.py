"""Work for as long as somebody waits for it: ended when the caller hangs up, or waited enough."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

Made = TypeVar("Made")


class Gone(Exception):
    """The caller hung up."""


async def attended(request: Request, work: Coroutine[Any, Any, Made], seconds: float) -> Made:
    """What `work` makes, which is cancelled when it is not waited for any more.

    The request's body must have been read. Raises Gone once the caller hung up, TimeoutError after
    so many seconds.
    """
    doing = asyncio.create_task(work)
    leaving = asyncio.create_task(_hung_up(request))
    try:
        await asyncio.wait({doing, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise Gone if leaving.done() else TimeoutError
    finally:
        for task in (doing, leaving):
            task.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
