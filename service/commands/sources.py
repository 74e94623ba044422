"""Where the command line gets its answers: computed here, or by a server. Both look the same."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Protocol, TypeVar

import httpx
from pydantic import BaseModel

from models import registry
from service import answers, estimating, pipeline
from service.decoys.results import DecoyProgress
from service.edge.negotiation import EVENTS, JSON
from service.jobs.resources import Job, address
from service.keys import signer
from service.orders import certify_order, estimate_order, explain_order
from service.pool.pools import LocalPool, Pool
from service.problems import MEDIA_TYPE, PREFIX, Problem, ProblemError
from service.results import CertifyAnswer, EstimateAnswer, ExplainAnswer, ModelList, Progress
from service.settings import Settings

Fields = Mapping[str, Any]
Answers = AsyncGenerator[Progress | CertifyAnswer, None]
Maps = AsyncGenerator[DecoyProgress | ExplainAnswer, None]
Step = TypeVar("Step", bound=BaseModel)
Answer = TypeVar("Answer", bound=BaseModel)
# Connecting is quick or hopeless; how long an answer may take is for whoever asked to say.
TIMEOUT = httpx.Timeout(None, connect=10.0)


class Unreachable(Exception):
    """No server answers at this address, or it answers something else."""


class Source(Protocol):
    """Something that explains and certifies. Raises ProblemError for what is refused."""

    def explain(self, photo: bytes, fields: Fields) -> Maps: ...
    def certify(self, photo: bytes, fields: Fields) -> Answers: ...
    async def estimate(self, photo: bytes, fields: Fields) -> EstimateAnswer: ...
    async def models(self) -> ModelList: ...


class Offline:
    """Computes in this process, by the pipeline that the server runs. Raises BadKey when made."""

    def __init__(self, settings: Settings, pool: Pool | None = None) -> None:
        self._settings = settings
        self._signer = signer(settings.signing_key)
        self._pool = pool or LocalPool(device=settings.device, chunk_seconds=settings.chunk_seconds)

    async def explain(self, photo: bytes, fields: Fields) -> Maps:
        """Progress where decoys are looked for, then the map with its overlay."""
        order = explain_order({**fields, "pictures": True}, False, self._settings)
        subject = pipeline.receive(photo, order.card, self._settings.max_pixels)
        await self._pool.start()
        try:
            async with aclosing(pipeline.explain_steps(self._pool, order, subject)) as steps:
                async for step in steps:
                    if isinstance(step, DecoyProgress):
                        yield step
                    else:
                        yield answers.explain_answer(step)
        finally:
            await self._pool.stop()

    async def certify(self, photo: bytes, fields: Fields) -> Answers:
        """Progress, then the certificate with its pictures."""
        order = certify_order({**fields, "pictures": True}, False, self._settings)
        subject = pipeline.receive(photo, order.card, self._settings.max_pixels)
        await self._pool.start()
        try:
            async with aclosing(pipeline.certify(self._pool, order, subject, proofs=True)) as steps:
                async for step in steps:
                    if isinstance(step, Progress):
                        yield step
                    else:
                        yield answers.certify_answer(step, self._signer)
        finally:
            await self._pool.stop()

    async def estimate(self, photo: bytes, fields: Fields) -> EstimateAnswer:
        """What is feasible and what it costs; the picture is judged too, and no network runs."""
        order = estimate_order(fields, False, self._settings)
        pipeline.receive(photo, order.card, self._settings.max_pixels)
        return estimating.estimate(self._pool, order, self._settings)

    async def models(self) -> ModelList:
        """The models of this installation."""
        return answers.models(registry.cards().values())


class Remote:
    """Asks a server over HTTP."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = url.rstrip("/")
        self._transport = transport

    def explain(self, photo: bytes, fields: Fields) -> Maps:
        """Progress where decoys are looked for, then the map with its overlay."""
        return self._steps("/v1/explain", photo, fields, DecoyProgress, ExplainAnswer)

    def certify(self, photo: bytes, fields: Fields) -> Answers:
        """Progress, then the certificate with its pictures."""
        return self._steps("/v1/certify", photo, fields, Progress, CertifyAnswer)

    async def _steps(
        self, path: str, photo: bytes, fields: Fields, progress: type[Step], result: type[Answer]
    ) -> AsyncGenerator[Step | Answer, None]:
        """Every event of the answer. Raises ProblemError for a problem, Unreachable for a job."""
        async with (
            self._ask(path, photo, fields, EVENTS) as response,
            aclosing(read_events(response)) as events,
        ):
            async for name, data in events:
                if name == "progress":
                    yield progress.model_validate_json(data)
                elif name == "result":
                    yield result.model_validate_json(data)
                elif name == "job":
                    raise self._left(Job.model_validate_json(data))
                else:
                    raise problem_error(data)

    def _left(self, job: Job) -> Unreachable:
        """The server has ended before the certificate was made."""
        where = f"{self._url}{address(job.id)}/certificate"
        return Unreachable(f"{self._url} is ending; once it is back the certificate is at {where}")

    async def estimate(self, photo: bytes, fields: Fields) -> EstimateAnswer:
        """What is feasible and what it costs, as the server sees it."""
        async with self._ask("/v1/certify/estimate", photo, fields, JSON) as response:
            return EstimateAnswer.model_validate_json(await response.aread())

    async def models(self) -> ModelList:
        """The models of the server."""
        async with self._open("GET", "/v1/models", {}) as response:
            return ModelList.model_validate_json(await response.aread())

    def _ask(self, path: str, photo: bytes, fields: Fields, accept: str) -> Any:
        form = {name: _text(value) for name, value in fields.items()} | {"pictures": "true"}
        options = {
            "files": {"image": ("image", photo)},
            "data": form,
            "headers": {"accept": accept},
        }
        return self._open("POST", path, options)

    @asynccontextmanager
    async def _open(
        self, method: str, path: str, options: dict[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        try:
            async with (
                httpx.AsyncClient(timeout=TIMEOUT, transport=self._transport) as client,
                client.stream(method, self._url + path, **options) as response,
            ):
                await _refuse(response)
                yield response
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{self._url}: {error or type(error).__name__}") from error


def _text(value: Any) -> str:
    """A value for a form: numbers and truth values as in JSON."""
    return value if isinstance(value, str) else json.dumps(value)


async def _refuse(response: httpx.Response) -> None:
    if response.is_success:
        return
    body = await response.aread()
    if response.headers.get("content-type") != MEDIA_TYPE:
        raise Unreachable(f"{response.url} answered {response.status_code}; is it Affidavit?")
    raise problem_error(body.decode())


async def read_events(response: httpx.Response) -> AsyncGenerator[tuple[str, str], None]:
    """Name and data of each server-sent event, as this service writes them."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, line.removeprefix("data: ")


def problem_error(data: str) -> ProblemError:
    """The problem that a server reports, to be raised here."""
    told = Problem.model_validate(json.loads(data))
    return ProblemError(told.type.removeprefix(PREFIX), told.detail, told.errors)
