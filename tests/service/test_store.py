"""The store, on SQLite and on a real PostgreSQL server: leases, evidence, results, keys, schema."""

import asyncio
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from service.jobs.states import CHANGES, FINAL, before
from service.store import api_keys, jobs, opening
from service.store.api_keys import Entry
from service.store.jobs import New, Part, Point
from service.store.opening import BadStore
from service.store.store import Store
from service.store.tables import METADATA

ME, OTHER = "1" * 32, "2" * 32
NUMBERS = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: Any, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store of its own."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.sqlite"
        return
    server = make_url(request.getfixturevalue("postgresql")).set(drivername="postgresql+psycopg")
    name = f"store_{next(NUMBERS)}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    yield server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    made = Store(url, tmp_path)
    made.start()
    yield made
    made.stop()


def new(number: int = 1, **values: Any) -> New:
    made = New(f"{number:032x}", "", float(number), None, "0" * 64, "m", 100, "{}", b"\0picture")
    return replace(made, **values)


def running(store: Store, number: int = 1) -> str:
    """Id of a job that ME works on until 20."""
    job = new(number)
    store.now(jobs.accept, job, 1.0)
    assert store.now(jobs.take, job.id, ME, 10.0, 20.0)
    return job.id


def test_what_was_accepted_is_there_after_a_restart(url: str, tmp_path: Path) -> None:
    first = Store(url, tmp_path)
    first.start()
    first.now(jobs.accept, new(), 1.5)
    first.stop()
    second = Store(url, tmp_path)
    second.start()
    head = second.now(jobs.head, new().id, "")
    kept = second.now(jobs.load, new().id)
    second.stop()
    assert head is not None and (head.state, head.updated, head.drawn) == ("queued", 1.5, 0)
    assert kept == jobs.Kept(new(), None, ())


def test_the_same_idempotency_key_is_the_same_job_for_the_same_owner_only(store: Store) -> None:
    first = store.now(jobs.accept, new(1, owner="a", idempotency="k"), 1.0)
    again = store.now(jobs.accept, new(2, owner="a", idempotency="k", digest="1" * 64), 2.0)
    other = store.now(jobs.accept, new(3, owner="b", idempotency="k"), 3.0)
    assert again == first and other.id != first.id
    keyless = [store.now(jobs.accept, new(n, owner="a"), 1.0).id for n in (4, 5)]
    assert len(set(keyless)) == 2


def test_the_same_key_at_two_servers_at_once_is_one_job(store: Store) -> None:
    start, heads = threading.Barrier(8), []

    def send(number: int) -> None:
        start.wait()
        heads.append(store.now(jobs.accept, new(number, idempotency="key"), 1.0))

    senders = [threading.Thread(target=send, args=(number,)) for number in range(1, 9)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(heads) == 8 and len({head.id for head in heads}) == 1
    assert len(store.now(jobs.listing, "", 10, None)) == 1


def test_a_job_belongs_to_its_owner(store: Store) -> None:
    store.now(jobs.accept, new(1, owner="a"), 1.0)
    assert store.now(jobs.head, new(1).id, "b") is None
    assert not store.now(jobs.cancel, new(1).id, "b", 2.0, 3.0)
    assert store.now(jobs.listing, "b", 10, None) == []


def test_listing_pages_from_new_to_old_without_gaps(store: Store) -> None:
    for number in range(1, 8):
        # Three accepted at the same time: the id decides.
        store.now(jobs.accept, new(number, created=float(max(number, 3))), 1.0)
    seen, after = [], None
    while page := store.now(jobs.listing, "", 3, after):
        seen += [int(head.id, 16) for head in page]
        after = page[-1]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_only_one_holder_gets_a_job_and_the_oldest_goes_first(store: Store) -> None:
    for number in (3, 1, 2):
        store.now(jobs.accept, new(number), 1.0)
    mine = store.now(jobs.claim, ME, 10.0, 20.0, 2)
    assert mine == [new(1).id, new(2).id]
    assert store.now(jobs.claim, OTHER, 10.0, 20.0, 2) == [new(3).id]
    assert store.now(jobs.claim, OTHER, 19.0, 29.0, 2) == []
    assert store.now(jobs.renew, ME, mine, 40.0) == set(mine)
    assert store.now(jobs.claim, OTHER, 30.0, 60.0, 9) == [new(3).id]
    assert store.now(jobs.claim, OTHER, 41.0, 60.0, 9) == [new(1).id, new(2).id]


def test_many_holders_at_once_never_get_the_same_job(store: Store) -> None:
    for number in range(20):
        store.now(jobs.accept, new(number), 1.0)
    got: dict[str, list[str]] = {}

    def grab(holder: str) -> None:
        got[holder] = store.now(jobs.claim, holder, 10.0, 20.0, 8)

    threads = [threading.Thread(target=grab, args=(f"{n:032x}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [job for jobs_ in got.values() for job in jobs_]
    assert len(taken) == len(set(taken)) >= 8


def test_evidence_grows_and_is_read_back_in_order(store: Store) -> None:
    job = running(store)
    for first, drawn in ((64, 64), (0, 128)):
        point = Point(drawn, 7, f'{{"samples":{drawn}}}')
        assert store.now(jobs.checkpoint, job, ME, point, Part(first, b"part %d" % first), 11.0)
    kept = store.now(jobs.load, job)
    assert (kept.target, kept.parts) == (7, (b"part 0", b"part 64"))
    head = store.now(jobs.head, job, "")
    assert head is not None and (head.drawn, head.progress) == (128, '{"samples":128}')
    assert store.now(jobs.backlog) == 100 - 128
    assert store.now(jobs.begin_anew, job, ME, '{"anew":1}')
    assert store.now(jobs.load, job) == jobs.Kept(new(asked='{"anew":1}'), None, ())


def test_a_part_that_grew_takes_the_place_of_what_it_holds(store: Store) -> None:
    job = running(store)
    for part in (
        Part(64, b"64 to 128"),
        Part(0, b"0 to 128", grown=64),
        Part(0, b"0 to 192", grown=0),
        Part(0, b"0 to 192", grown=0),  # of which nobody was told that it was saved
        Part(256, b"256 to 320"),
    ):
        assert store.now(jobs.checkpoint, job, ME, Point(1, 7, "{}"), part, 11.0)
    assert store.now(jobs.load, job).parts == (b"0 to 192", b"256 to 320")


def test_whoever_lost_the_lease_can_write_nothing_more(store: Store) -> None:
    job = running(store)
    assert store.now(jobs.take, job, OTHER, 21.0, 40.0)
    point = Point(64, 7, "{}")
    assert not store.now(jobs.checkpoint, job, ME, point, Part(0, b"late"), 22.0)
    assert not store.now(jobs.begin_anew, job, ME, "")
    assert not store.now(jobs.finish, job, ME, point, {"k": b"late"}, 22.0, 99.0)
    assert not store.now(jobs.fail, job, ME, "{}", 22.0, 99.0)
    assert not store.now(jobs.release, job, ME, 22.0)
    assert store.now(jobs.renew, ME, [job], 99.0) == frozenset()
    assert store.now(jobs.load, job).parts == ()
    assert store.now(jobs.release, job, OTHER, 23.0)
    assert store.now(jobs.claim, ME, 24.0, 30.0, 1) == [job]


def test_a_finished_job_keeps_its_results_until_they_expire(store: Store) -> None:
    job = running(store)
    store.now(jobs.checkpoint, job, ME, Point(100, 7, "{}"), Part(0, b"part"), 11.0)
    results = {"application/json": b"{}", "image/png": b"\x89PNG"}
    assert store.now(jobs.finish, job, ME, Point(100, 7, None), results, 12.0, 50.0)
    assert {kind: store.now(jobs.result, job, kind) for kind in results} == results
    assert store.now(jobs.load, job) == jobs.Kept(new(picture=None), 7, ())  # type: ignore[arg-type]
    assert store.now(jobs.backlog) == 0
    assert store.now(jobs.purge, 50.0) == 0 and store.now(jobs.purge, 50.1) == 1
    assert store.now(jobs.head, job, "") is None
    assert store.now(jobs.result, job, "image/png") is None


def test_a_failed_job_says_why(store: Store) -> None:
    job = running(store)
    assert store.now(jobs.fail, job, ME, '{"status":500}', 12.0, 50.0)
    head = store.now(jobs.head, job, "")
    assert head is not None and (head.state, head.problem) == ("failed", '{"status":500}')


def test_nothing_comes_after_a_final_state(store: Store) -> None:
    job = running(store)
    assert store.now(jobs.cancel, job, "", 12.0, 50.0)
    assert not store.now(jobs.cancel, job, "", 13.0, 50.0)
    assert not store.now(jobs.finish, job, ME, Point(1, 1, None), {}, 13.0, 50.0)
    assert not store.now(jobs.checkpoint, job, ME, Point(1, 1, "{}"), Part(0, b""), 13.0)
    assert store.now(jobs.claim, ME, 99.0, 199.0, 9) == []
    assert store.now(jobs.renew, ME, [job], 99.0) == frozenset()


def test_the_table_of_states_is_the_one_written_down() -> None:
    assert {"done", "failed", "cancelled"} == FINAL
    assert before("running") == ("queued", "running")
    assert before("done") == ("running",) and set(before("cancelled")) == {"queued", "running"}
    assert all(then <= set(CHANGES) for then in CHANGES.values())


def test_keys_are_kept_by_name(store: Store) -> None:
    entries = [Entry("b", "b" * 64, 1.0, None), Entry("a", "a" * 64, 2.0, 500)]
    assert [store.now(api_keys.add, entry) for entry in entries] == [True, True]
    assert not store.now(api_keys.add, Entry("a", "c" * 64, 3.0, None))
    assert store.now(api_keys.entries) == (entries[1], entries[0])
    assert store.now(api_keys.remove, "a") and not store.now(api_keys.remove, "a")
    assert store.now(api_keys.entries) == (entries[0],)


def migrations(connection: Any) -> Config:
    made = Config()
    made.set_main_option("script_location", str(opening.MIGRATIONS))
    made.attributes["connection"] = connection
    return made


def test_the_migrations_make_the_schema_that_the_code_uses(store: Store) -> None:
    """A new store is made without them, and has every name that they would have given it."""

    def differences(connection: Any) -> Any:
        return compare_metadata(MigrationContext.configure(connection), METADATA)

    def names(connection: Any) -> Any:
        found = inspect(connection)
        tables = sorted(found.get_table_names())
        constraints = [found.get_unique_constraints(t) for t in tables]
        keys = [(found.get_pk_constraint(t), found.get_foreign_keys(t)) for t in tables]
        return (
            [str(found.get_columns(t)) for t in tables],
            constraints,
            keys,
            [sorted(str(each) for each in found.get_indexes(t)) for t in tables],
        )

    made = store.now(names)
    assert store.now(opening.revision) == opening.HEAD
    store.now(lambda connection: command.downgrade(migrations(connection), "base"))
    store.now(opening._upgrade)
    assert store.now(names) == made and store.now(differences) == []
    assert store.now(opening.revision) == opening.HEAD


def test_the_newest_migration_is_the_one_that_is_looked_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(opening.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [opening.HEAD]


def test_migrations_can_be_taken_back(store: Store) -> None:
    def back(connection: Any) -> list[str]:
        command.downgrade(migrations(connection), "base")
        return inspect(connection).get_table_names()

    assert store.now(back) == ["alembic_version"]


def test_servers_that_start_at_once_migrate_once(url: str, tmp_path: Path) -> None:
    stores = [Store(url, tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=store.start) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.now(opening.revision) for store in stores] == [opening.HEAD] * 4
    for store in stores:
        store.stop()


def test_a_store_of_a_later_version_is_refused(store: Store, url: str, tmp_path: Path) -> None:
    def age(connection: Any) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    store.now(age)
    with pytest.raises(BadStore, match="another version of affidavit"):
        Store(url, tmp_path).start()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://host/x", "begins with mysql"),
        ("?", "no URL"),
        ("postgresql://nobody:secret@/x?host=/nowhere", "cannot open the store postgresql"),
        ("sqlite:////nowhere/at/all.sqlite", "cannot open the store sqlite"),
    ],
)
def test_a_store_that_cannot_be_opened_says_why_and_no_secret(
    url: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(BadStore, match=words) as caught:
        Store(url, tmp_path).start()
    assert "secret" not in str(caught.value)


def test_without_a_url_the_store_is_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    store = Store(None, folder)
    store.start()
    store.now(jobs.accept, new(), 1.0)
    store.stop()
    assert stat.S_IMODE((folder / opening.FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_sqlite_writes_ahead_and_waits_for_the_disk(tmp_path: Path) -> None:
    store = Store(None, tmp_path)
    store.start()
    asked = [
        store.now(lambda c, p=p: c.exec_driver_sql(f"PRAGMA {p}").scalar())  # type: ignore[misc]
        for p in ("journal_mode", "synchronous", "foreign_keys")
    ]
    store.stop()
    assert asked == ["wal", 2, 1]


def test_work_runs_beside_the_event_loop(store: Store) -> None:
    async def story() -> tuple[str, str]:
        ours = threading.current_thread().name
        return ours, await store.do(lambda connection: threading.current_thread().name)

    ours, theirs = asyncio.run(story())
    assert ours != theirs and theirs.startswith("store")


def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="start"):
        Store(None, tmp_path).now(jobs.backlog)
