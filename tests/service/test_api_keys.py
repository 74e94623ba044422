"""Who is let in: keys, whose jobs are whose, and where no key is needed."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from service import api_keys, cli
from service.api_keys import Keys, is_loopback
from service.settings import Settings
from service.store import api_keys as kept
from service.store.api_keys import Entry
from service.store.store import Store
from tests.service.gatehouse import slug


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
