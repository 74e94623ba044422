"""Proofs, and what is made of them, beside the event loop: so many at once as leave it its turn.

A proof is arithmetic in Python, which holds the interpreter. With as many at once as there are
callers every answer waits for all of them, explanations among them, and each has its arrays in
memory.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 2
_THREADS = ThreadPoolExecutor(AT_ONCE, "proof")


async def proving(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` gives, from one of few threads; such work takes turns in the order it comes."""
    here = copy_context()
    return await asyncio.get_running_loop().run_in_executor(
        _THREADS, lambda: here.run(work, *args, **kwargs)
    )
