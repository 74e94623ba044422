"""Who is let in and what is taken on: keys, quotas, a bounded queue, a crowd."""

import asyncio
import base64
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from service import api_keys, cli
from service.admission import HOUR, Bucket
from service.api_keys import Keys, is_loopback
from service.app import create_app
from service.problems import ProblemError
from service.settings import Settings
from service.store import api_keys as kept
from service.store.api_keys import Entry
from service.store.store import Store

KEY = "000102030405060708090a0b0c0d0e0f"


class House:
    """An application in this process, its store open, its lifespan running for one story."""

    def __init__(self, pool: Any, picture: bytes, **settings: Any) -> None:
        self.pool, self.picture = pool, picture
        self.settings = Settings(default_model="digits-tiny", max_samples=5000, **settings)
        self.app = create_app(self.settings, pool)

    @property
    def here(self) -> Any:
        return self.app.state.service

    def key(self, name: str, quota: int | None = None) -> dict[str, str]:
        """Headers with a new key of this name."""
        key, entry = api_keys.fresh(name, time.time(), quota)
        self.here.store.start()
        assert self.here.store.now(kept.add, entry)
        return {"authorization": f"Bearer {key}"}

    def tell(self, story: Any) -> Any:
        async def whole() -> Any:
            transport = httpx.ASGITransport(self.app)
            async with (
                self.app.router.lifespan_context(self.app),
                httpx.AsyncClient(transport=transport, base_url="http://test") as http,
            ):
                return await asyncio.wait_for(story(http), 30)

        return asyncio.run(whole())

    def body(self, **fields: Any) -> dict[str, Any]:
        image = base64.b64encode(self.picture).decode()
        return {"samples": 640, "key": KEY, "image": image} | fields


@pytest.fixture
def house(pool: Any, picture: bytes) -> Any:
    return lambda **settings: House(pool, picture, **settings)


def slug(response: httpx.Response) -> str:
    return str(response.json()["type"]).rsplit(":", 1)[1]


def test_without_any_key_callers_of_this_machine_need_none(house: Any) -> None:
    async def story(http: httpx.AsyncClient) -> Any:
        return await http.get("/v1/models")

    assert house().tell(story).status_code == 200


def test_from_the_first_key_on_a_key_is_needed_everywhere_but_for_health(house: Any) -> None:
    made = house()
    alice = made.key("alice")

    async def story(http: httpx.AsyncClient) -> Any:
        paths = ["/v1/models", "/v1/jobs", "/nowhere", "/healthz", "/readyz", "/openapi.json"]
        bare = [await http.get(path) for path in paths]
        wrong = [
            await http.get("/v1/models", headers={"authorization": value})
            for value in ("Bearer affidavit_x", "Basic eDp5", "Bearer", "", "Bearer ä".encode())
        ]
        return bare, wrong, await http.get("/v1/models", headers=alice)

    bare, wrong, right = made.tell(story)
    assert [r.status_code for r in bare] == [401, 401, 401, 200, 200, 200]
    assert all(r.status_code == 401 and slug(r) == "unauthorized" for r in wrong)
    assert wrong[0].headers["www-authenticate"] == "Bearer"
    assert wrong[0].headers["x-request-id"]
    assert right.status_code == 200


def test_a_key_that_was_removed_is_refused_soon(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "REFRESH_SECONDS", 0.0)
    made = house()
    alice = made.key("alice")
    made.key("bob")

    async def story(http: httpx.AsyncClient) -> Any:
        before = await http.get("/v1/models", headers=alice)
        await made.here.store.do(kept.remove, "alice")
        return before.status_code, (await http.get("/v1/models", headers=alice)).status_code

    assert made.tell(story) == (200, 401)


def test_jobs_of_one_key_are_hidden_from_another(house: Any) -> None:
    made = house()
    alice, bob = made.key("alice"), made.key("bob")

    async def story(http: httpx.AsyncClient) -> Any:
        wish = {"prefer": "respond-async", "idempotency-key": "same"}
        hers = await http.post("/v1/certify", json=made.body(), headers=alice | wish)
        his = await http.post("/v1/certify", json=made.body(), headers=bob | wish)
        address = hers.headers["location"]
        seen = [await http.get(address, headers=who) for who in (alice, bob)]
        gone = await http.delete(address, headers=bob)
        listed = (await http.get("/v1/jobs", headers=bob)).json()["jobs"]
        return hers, his, seen, gone, listed

    hers, his, seen, gone, listed = made.tell(story)
    assert hers.headers["location"] != his.headers["location"]
    assert [r.status_code for r in seen] == [200, 404] and gone.status_code == 404
    assert [f"/v1/jobs/{job['id']}" for job in listed] == [his.headers["location"]]


def test_what_is_kept_of_a_key_is_its_hash_and_keys_are_never_the_same(tmp_path: Path) -> None:
    made = [api_keys.fresh("n", 1.0) for _ in range(100)]
    assert len({key for key, _ in made}) == 100
    key, entry = made[0]
    assert re.fullmatch(r"affidavit_[\w-]{43}", key)
    assert entry.digest == api_keys.digest(key) and key not in str(entry)
    assert api_keys.match(key, [e for _, e in made]) == entry
    assert api_keys.match(key + "x", [entry]) is None
    assert api_keys.match(key, []) is None


def test_every_entry_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def watched(one: str, other: str) -> bool:
        compared.append(other)
        return one == other

    monkeypatch.setattr(api_keys.hmac, "compare_digest", watched)
    key, entry = api_keys.fresh("first", 1.0)
    others = [Entry(str(n), f"{n:064x}", 1.0, None) for n in range(5)]
    assert api_keys.match(key, [entry, *others]) == entry
    assert len(compared) == 6


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("example.org", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


@pytest.mark.parametrize(
    ("options", "keys", "may"),
    [
        ({"host": "127.0.0.1"}, 0, True),
        ({"host": "0.0.0.0"}, 0, False),
        ({"host": "0.0.0.0"}, 1, True),
        ({"host": "0.0.0.0", "allow_anyone": True}, 0, True),
    ],
)
def test_a_server_for_others_wants_keys_to_start(
    tmp_path: Path, options: dict[str, Any], keys: int, may: bool
) -> None:
    store = Store(None, tmp_path)
    store.start()
    for number in range(keys):
        store.now(kept.add, api_keys.fresh(str(number), 1.0)[1])
    lacking = Keys(store, Settings(**options)).lacking()
    store.stop()
    assert (lacking is None) is may
    assert may or "affidavit api-keys add" in str(lacking)


def test_the_real_server_refuses_to_start_without_keys_for_others(tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "service", "serve", "--host", "0.0.0.0", "--port", "0"),
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "AFFIDAVIT_DATA_DIR": str(tmp_path)}
        | {"PATH": "", "AFFIDAVIT_DEFAULT_MODEL": "digits-tiny"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 and "affidavit api-keys add NAME" in done.stderr
    assert "Traceback" not in done.stderr and "serves on" not in done.stdout


def test_keys_are_added_listed_and_removed_on_the_command_line(tmp_path: Path) -> None:
    run = CliRunner()

    def say(*words: str) -> Any:
        return run.invoke(cli.app, ["api-keys", *words])

    key = say("add", "alice", "--samples-an-hour", "500").stdout.strip()
    listed = say("list").stdout
    assert re.fullmatch(r"alice  \S+  500 samples an hour\n", listed) and key not in listed
    assert say("add", "alice").exit_code == 2
    assert say("add", "a\nb").exit_code == 2
    store = Store(None, Settings().data_dir)
    store.start()
    found = api_keys.match(key, store.now(kept.entries))
    store.stop()
    assert found is not None and (found.name, found.samples_an_hour) == ("alice", 500)
    assert say("remove", "alice").exit_code == 0
    assert say("remove", "alice").exit_code == 2
    assert say("list").stdout == ""


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


def test_jobs_of_the_store_count_as_waited_for(house: Any, pool: Any) -> None:
    made = house(queue_samples=1000, jobs_at_once=1)
    gate = asyncio.Event()
    look = type(pool).look

    async def slow(self: Any, *what: Any) -> Any:
        await gate.wait()
        return await look(self, *what)

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

    with mock.patch.object(type(pool), "look", slow):
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
    made = house(most_requests=2)
    gate = asyncio.Event()
    look = type(pool).look

    async def slow(self: Any, *what: Any) -> Any:
        await gate.wait()
        return await look(self, *what)

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

    with mock.patch.object(type(pool), "look", slow):
        turned, alive, inside = made.tell(story)
    assert turned.status_code == 429 and slug(turned) == "too-many-requests"
    assert turned.headers["retry-after"] == "1"
    assert alive.status_code == 200 and inside == [200, 200]
