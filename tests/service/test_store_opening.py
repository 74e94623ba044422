"""Opening the store, on SQLite and a real PostgreSQL server: its schema, its file, its threads."""

import asyncio
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from service.store import jobs, opening
from service.store.opening import BadStore
from service.store.store import Store
from service.store.tables import METADATA
from tests.service.stored import new


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
