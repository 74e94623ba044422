"""A certificate for a caller who watches it being made: server-sent events of one request.

`progress` with the newest state whenever the caller is ready for it, then `result`, or `problem`.
Where the server ends first it is `job` instead: the certificate is a job of the store by then, with
all that was drawn, and the event says where.
"""

from collections.abc import AsyncIterator

from service.answers import certify_answer, event
from service.context import Service
from service.failures import as_problem
from service.jobs import asking, resources
from service.jobs.record import Record
from service.jobs.running import Running, SetAside
from service.proving import proving
from service.results import Progress

LOOK_SECONDS = 1.0


async def events(service: Service, record: Record) -> AsyncIterator[bytes]:
    """The events of a certificate that ends with its request, unless the server ends before."""
    running = service.runner.begin(record)
    try:
        async for told in _progress(running):
            yield event("progress", told.model_dump_json(ensure_ascii=True))
        yield await _end(service, running)
    except Exception as error:
        problem = as_problem(error, service.settings.retry_after_seconds).problem()
        yield event("problem", problem.model_dump_json(ensure_ascii=True))
    finally:
        if not running.kept:
            service.runner.drop(running)


async def _progress(running: Running) -> AsyncIterator[Progress]:
    told = None
    while True:
        if running.progress is not None and running.progress is not told:
            told = running.progress
            yield told
        elif running.outcome.done():
            return
        else:
            await running.news(LOOK_SECONDS)


async def _end(service: Service, running: Running) -> bytes:
    """The last event."""
    try:
        done = running.outcome.result()
    except SetAside:
        head = await asking.found(service, running.id, running.record.owner)
        return event("job", resources.job(head).model_dump_json(ensure_ascii=True))
    made = await proving(certify_answer, done, service.signer)
    return event("result", made.model_dump_json(ensure_ascii=True))
