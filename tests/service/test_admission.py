"""What is taken on: a bounded queue, quotas, a crowd."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import httpx
from hypothesis import given
from hypothesis import strategies as st

from service.admission import HOUR, Bucket
from service.problems import ProblemError
from tests.service.gatehouse import slug


def test_a_full_queue_says_when_to_come_back_at_the_measured_pace(house: Any, pool: Any) -> None:
    made = house(queue_samples=1000)
    pool.pace = 50.0
    gate = asyncio.Event()
    draw = type(pool).draw_parts

    async def slow(self: Any, *work: Any) -> Any:
        await gate.wait()
        async for part in draw(self, *work):
            yield part

    async def story(http: httpx.AsyncClient) -> Any:
        waiting = asyncio.create_task(http.post("/v1/certify", json=made.body(samples=800)))
        while made.here.admission.waiting != 800:
            await asyncio.sleep(0.01)
        fits = made.body(samples=150, method="smoothgrad", image=made.body()["image"])
        late = [
            await http.post("/v1/certify", json=made.body(samples=300)),
            await http.post("/v1/certify", json=made.body(), headers={"prefer": "respond-async"}),
            await http.post("/v1/explain", json=made.body(samples=700, method="smoothgrad")),
        ]
        small = await http.post("/v1/explain", json=fits)
        gate.set()
        first = await waiting
        return late, small, first, made.here.admission.waiting, (await http.get("/v1/jobs")).json()

    with mock.patch.object(type(pool), "draw_parts", slow):
        late, small, first, waiting, jobs = made.tell(story)
    assert [r.status_code for r in late] == [429] * 3
    assert {slug(r) for r in late} == {"queue-full"}
    # 800 + 300 - 1000 samples at 50/s, and so on.
    assert [int(r.headers["retry-after"]) for r in late] == [2, 9, 10]
    assert small.status_code == first.status_code == 200
    assert waiting == 0 and jobs["jobs"] == []


def test_a_request_larger_than_the_queue_is_taken_when_nobody_waits(house: Any) -> None:
    made = house(queue_samples=100)

    async def story(http: httpx.AsyncClient) -> Any:
        return await http.post("/v1/certify", json=made.body())

    assert made.tell(story).status_code == 200


@contextmanager
def looks_wait(pool: Any, gate: asyncio.Event) -> Iterator[None]:
    """Every look of the pool waits at the gate."""
    look = type(pool).look

    async def slow(self: Any, *what: Any) -> Any:
        await gate.wait()
        return await look(self, *what)

    with mock.patch.object(type(pool), "look", slow):
        yield


def test_jobs_of_the_store_count_as_waited_for(house: Any, pool: Any) -> None:
    made, gate = house(queue_samples=1000, jobs_at_once=1), asyncio.Event()

    async def story(http: httpx.AsyncClient) -> Any:
        wish = {"prefer": "respond-async"}
        first = await http.post("/v1/certify", json=made.body(), headers=wish)
        second = await http.post("/v1/certify", json=made.body(), headers=wish)
        await http.delete(first.headers["location"])
        for _ in range(100):
            await asyncio.sleep(0.02)
            third = await http.post("/v1/certify", json=made.body(), headers=wish)
            if third.status_code == 202:
                break
        gate.set()
        return first, second, third

    with looks_wait(pool, gate):
        first, second, third = made.tell(story)
    assert (first.status_code, second.status_code, third.status_code) == (202, 429, 202)
    assert int(second.headers["retry-after"]) == made.settings.retry_after_seconds


def test_a_quota_is_each_keys_own_and_grows_again(house: Any) -> None:
    made = house(samples_an_hour=1000)
    alice, bob, carol = made.key("alice"), made.key("bob"), made.key("carol", 5000)

    async def story(http: httpx.AsyncClient) -> Any:
        def ask(who: dict[str, str], samples: int, **more: str) -> Any:
            body = made.body(samples=samples)
            return http.post("/v1/certify", json=body, headers=who | more)

        return [
            await ask(alice, 640),
            await ask(alice, 640),
            await ask(bob, 640),
            await ask(bob, 1200),
            await ask(carol, 1200),
        ]

    first, second, other, much, more = made.tell(story)
    assert [r.status_code for r in (first, second, other, much, more)] == [200, 429, 200, 429, 200]
    assert slug(second) == slug(much) == "quota-exceeded"
    # 280 samples too many at 1000 an hour.
    assert int(second.headers["retry-after"]) in range(1000, 1010)
    assert "retry-after" not in much.headers


def test_a_repeated_request_costs_the_quota_once(house: Any) -> None:
    made = house(samples_an_hour=1000)
    alice = made.key("alice") | {"idempotency-key": "k"}

    async def story(http: httpx.AsyncClient) -> Any:
        return [
            (await http.post("/v1/certify", json=made.body(samples=400), headers=alice)).status_code
            for _ in range(5)
        ]

    assert made.tell(story) == [200] * 5


@given(
    quota=st.integers(1, 10**6),
    asked=st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, HOUR)), max_size=30),
)
def test_no_key_ever_gets_more_than_its_quota_and_what_grew(
    quota: int, asked: list[tuple[int, float]]
) -> None:
    now, got, bucket = 0.0, 0, Bucket(quota, 0.0)
    for samples, later in asked:
        now += later
        try:
            bucket.take(samples, quota, now)
            got += samples
        except ProblemError as error:
            assert error.kind == "quota-exceeded"
    assert got <= quota * (1 + now / HOUR) * (1 + 1e-9)


def test_a_crowd_is_turned_away_and_health_is_not(house: Any, pool: Any) -> None:
    made, gate = house(most_requests=2), asyncio.Event()

    async def story(http: httpx.AsyncClient) -> Any:
        body = made.body(method="gradient") | {"samples": None, "key": None}
        inside = [asyncio.create_task(http.post("/v1/explain", json=body)) for _ in range(2)]
        while not gate_waits():
            await asyncio.sleep(0.01)
        turned, alive = await http.get("/v1/models"), await http.get("/healthz")
        gate.set()
        return turned, alive, [r.status_code for r in await asyncio.gather(*inside)]

    def gate_waits() -> bool:
        return len(getattr(gate, "_waiters", ())) == 2

    with looks_wait(pool, gate):
        turned, alive, inside = made.tell(story)
    assert turned.status_code == 429 and slug(turned) == "too-many-requests"
    assert turned.headers["retry-after"] == "1"
    assert alive.status_code == 200 and inside == [200, 200]
