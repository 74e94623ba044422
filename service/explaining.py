"""An explanation as server-sent events: `progress` on the way, then `result` or `problem`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from service.answers import event, explain_answer
from service.decoys.results import DecoyProgress
from service.failures import as_problem
from service.pipeline import ExplainSteps


async def events(steps: ExplainSteps, retry_after: int) -> AsyncIterator[bytes]:
    """The events of these steps; only decoys make progress."""
    try:
        async with aclosing(steps):
            async for step in steps:
                if isinstance(step, DecoyProgress):
                    yield event("progress", step.model_dump_json(ensure_ascii=True))
                else:
                    made = await asyncio.to_thread(explain_answer, step)
                    yield event("result", made.model_dump_json(ensure_ascii=True))
    except Exception as error:
        problem = as_problem(error, retry_after).problem()
        yield event("problem", problem.model_dump_json(ensure_ascii=True))
