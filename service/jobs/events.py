"""A job as it changes, as server-sent events that can be taken up again where they broke off.

Every event is named after what it tells, `progress` or a final state, and holds the whole job. Its
id is the number of samples drawn, or `end`: a caller who comes back with Last-Event-ID hears only
what is new. Each holds all that was said before it, so that nothing is lost by missing some.
"""

from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

from service.answers import event
from service.edge.negotiation import EVENTS
from service.jobs.resources import Job, address, job
from service.jobs.runner import Runner
from service.jobs.states import FINAL
from service.store import jobs
from service.store.store import Store

END = "end"
# A job at work elsewhere is looked up so often; a line that says nothing keeps proxies awake.
LOOK_SECONDS, SILENCE_LOOKS = 1.0, 15


def streamed(
    store: Store, runner: Runner, name: str, owner: str, last: str | None = None
) -> StreamingResponse:
    """The answer that tells `watch`, and where the job is."""
    headers = {"Cache-Control": "no-store", "Location": address(name)}
    told = watch(store, runner, name, owner, last)
    return StreamingResponse(told, media_type=EVENTS, headers=headers)


async def watch(
    store: Store, runner: Runner, name: str, owner: str, last: str | None
) -> AsyncIterator[bytes]:
    """Events of the owner's job from after `last` on, until it is over, gone or set aside here."""
    seen, silent = last, 0
    while True:
        head = await store.do(jobs.head, name, owner)
        if head is None:
            return
        running = runner.find(name)
        told = job(head, running)
        mark = identity(told)
        if newer(mark, seen):
            yield _event(told, mark)
            seen, silent = mark, 0
        if told.state in FINAL or runner.closed:
            return
        if running is None:
            await runner.pause(LOOK_SECONDS)
        else:
            await running.news(LOOK_SECONDS)
        silent += 1
        if silent >= SILENCE_LOOKS:
            yield b":\n\n"
            silent = 0


def identity(told: Job) -> str:
    """The id of the event that tells this."""
    return END if told.state in FINAL else str(told.drawn)


def newer(mark: str, seen: str | None) -> bool:
    """Whether an event of id `mark` is news to who has seen `seen`; anything is to a stranger."""
    if seen is None or not (seen == END or seen.isdecimal()):
        return True
    if END in (mark, seen):
        return mark != seen and mark == END
    return int(mark) > int(seen)


def _event(told: Job, mark: str) -> bytes:
    name = told.state if told.state in FINAL else "progress"
    return f"id: {mark}\n".encode() + event(name, told.model_dump_json(ensure_ascii=True))
