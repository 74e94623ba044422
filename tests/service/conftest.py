"""What the tests of the HTTP front and the command line share: a pool that computes without a
network and counts what reaches it, a client that speaks to the application in process, pictures."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from certify.evidence import Evidence
from certify.plan import Plan
from certify.randomness import words
from models import registry
from service.app import create_app
from service.pool.pools import Health, Look, Member
from service.settings import Settings
from service.store.store import Store
from tests.service import postgres
from tests.service.callers import PATIENCE, Caller, paced_pool, running
from tests.service.gatehouse import House

KEY = "000102030405060708090a0b0c0d0e0f"


@dataclass
class FakePool:
    """Answers as if a network looked: which features a sample votes for depends on (key, sample)
    and on the picture's first pixel, nothing else. `calls` records all that reached it."""

    failure: Exception | None = None
    well: bool = True
    part: int = 64
    calls: list[str] = field(default_factory=list)
    running: bool = False
    pace: float | None = None

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False

    async def look(
        self,
        model: str,
        image: NDArray[np.uint8],
        target: int | None,
        attribution: str = "gradient",
        precision: str = "float32",
    ) -> Look:
        self._note("look")
        card = registry.card(model)
        assert image.shape == (card.size, card.size, 3) and image.dtype == np.uint8
        scores = np.exp(-((np.arange(len(card.classes)) - 3.0) ** 2)).astype(np.float32)
        ramp = np.arange(card.size * card.size, dtype=np.float32).reshape(card.size, card.size)
        return Look(scores / scores.sum(), 3 if target is None else target, ramp)

    async def draw_parts(
        self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
    ) -> AsyncGenerator[Evidence, None]:
        self._note("draw")
        for first in range(start, stop, self.part):
            await asyncio.sleep(0)
            yield _evidence(plan, first, min(first + self.part, stop))

    async def draw(self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int) -> Evidence:
        self._note("draw")
        return _evidence(plan, start, stop)

    async def average(
        self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
    ) -> NDArray[np.float64]:
        self._note("average")
        return np.arange(plan.features) * float(stop - start)

    async def heartbeat(self) -> Health:
        state = "idle" if self.well else "down"
        return Health(self.well, (Member("fake", state, 1, "cpu", 0),), "as told")

    def samples_per_second(self, plan: Plan) -> float | None:
        return self.pace

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.failure is not None:
            raise self.failure


def _evidence(plan: Plan, start: int, stop: int) -> Evidence:
    """Each sample votes for the first features, but one of its votes goes astray now and then."""
    votes = np.zeros((stop - start, plan.features), dtype=bool)
    votes[:, : plan.recipe.votes] = True
    for row, sample in enumerate(range(start, stop)):
        first, second = (int(w) for w in words(int(plan.key, 16), sample, 0, 2))
        if first % 16 == 0:
            votes[row, second % plan.recipe.votes] = False
            votes[row, plan.recipe.votes + second % (plan.features - plan.recipe.votes)] = True
    predictions = np.full(stop - start, plan.target, dtype=np.int32)
    if plan.votes_only:
        return Evidence.from_votes(start, votes, predictions)
    ranks = np.argsort(np.argsort(~votes, axis=1, kind="stable"), axis=1)
    return Evidence.from_points(start, plan.points[ranks], predictions)


@dataclass
class Client:
    """Speaks HTTP to an application in this process, with its lifespan running."""

    pool: FakePool
    settings: Settings

    def __post_init__(self) -> None:
        self.app = create_app(self.settings, self.pool)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._request(method, path, options))

    async def _request(self, method: str, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with (
            self.app.router.lifespan_context(self.app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            return await client.request(method, path, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)

    def stream(self, path: str, chunks: Any, headers: dict[str, str]) -> httpx.Response:
        """POST a body that comes in chunks."""
        return self.post(path, content=chunks, headers=headers)

    def certify(
        self, picture: bytes, accept: str = "application/json", **fields: Any
    ) -> httpx.Response:
        body = {"model": "digits-tiny", "image": base64.b64encode(picture).decode()} | fields
        return self.post("/v1/certify", json=body, headers={"accept": accept})

    def estimate(self, **fields: Any) -> httpx.Response:
        return self.post("/v1/certify/estimate", json={"model": "digits-tiny"} | fields)

    def explain(
        self, picture: bytes, accept: str = "application/json", **fields: Any
    ) -> httpx.Response:
        body = {"model": "digits-tiny", "image": base64.b64encode(picture).decode()} | fields
        return self.post("/v1/explain", json=body, headers={"accept": accept})


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a store of its own."""
    monkeypatch.setenv("AFFIDAVIT_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Every test leaves logging as it was: `serve` sends the records of its whole process to its
    standard error, and here that is a captured stream, closed before the process ends."""
    loggers = [logging.getLogger(name) for name in ("", "uvicorn.access", "alembic")]
    before = [(logger.handlers[:], logger.level, logger.disabled) for logger in loggers]
    yield
    for logger, (handlers, level, disabled) in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.disabled = disabled


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of an empty database on a real PostgreSQL server; skips where there is none."""
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store of its own, on either engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.sqlite"
    else:
        yield postgres.database(request.getfixturevalue("postgresql"))


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    """An open store, on either engine."""
    made = Store(url, tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@pytest.fixture
def paced() -> Any:
    """A FakePool whose every part waits to be let go; see `callers.paced_pool`."""
    return paced_pool(FakePool)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Every part is saved as it comes, and a lease is over soon."""
    return Settings(
        max_samples=5000,
        default_model="digits-tiny",
        data_dir=tmp_path / "jobs",
        checkpoint_seconds=0,
        lease_seconds=0.4,
    )


@pytest.fixture
def tell(paced: Any, settings: Settings, picture: bytes) -> Callable[..., Any]:
    """Run a story with a caller of a running server over the paced pool."""

    def run(story: Callable[[Caller], Awaitable[Any]], **more: Any) -> Any:
        async def whole() -> Any:
            async with running(paced, settings.model_copy(update=more), picture) as caller:
                return await asyncio.wait_for(story(caller), PATIENCE)

        return asyncio.run(whole())

    return run


@pytest.fixture
def house(pool: FakePool, picture: bytes) -> Callable[..., House]:
    """An application over the pool with the settings that it is called with."""
    return lambda **settings: House(pool, picture, **settings)


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake worker is a script outside the packages; its process needs the tree on its path."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@pytest.fixture
def client(pool: FakePool) -> Client:
    return Client(pool, Settings(max_samples=5000, default_model="digits-tiny"))


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A 24×20 PNG with structure."""
    return encode(gradient(20, 24))


@pytest.fixture
def key() -> str:
    return KEY


def gradient(height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 7 % 256, columns * 9 % 256, (rows + columns) * 5 % 256], 2).astype(
        np.uint8
    )


def encode(pixels: NDArray[np.uint8], kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def parse_events() -> Any:
    return lambda text: list(_events(text))


def _events(text: str) -> Iterator[tuple[str, Any]]:
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))
