"""Opening the store: the engine of a URL, its settings, and the schema brought up to date.

SQLite writes ahead (WAL) and waits for the disk at every commit: what was accepted survives kill −9
and loss of power. Migrations run when a store is opened, under a lock, so that servers which start
at the same time do not both run them.
"""

from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    create_engine,
    event,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from service.store.tables import METADATA

MIGRATIONS = Path(__file__).parent / "migrations"
# The newest revision; a test compares. Alembic is imported only where there is something to do.
HEAD = "0001"
# Alembic's own note of the revision that a store is at.
REVISIONS = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
SQLITE, POSTGRESQL = "sqlite", "postgresql"
DRIVERS = {SQLITE: "sqlite", POSTGRESQL: "postgresql+psycopg"}
FILE = "affidavit.sqlite"
BUSY_SECONDS = 30
CONNECT_SECONDS = 10
# Any number that no other program uses for its own advisory lock.
LOCK = 0x0AFF1DA
PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")


class BadStore(Exception):
    """The store cannot be opened; says why and what to do."""


def address(url: str | None, folder: Path) -> URL:
    """The URL of the store; without one, a file in `folder`. Raises BadStore.

    The folder is made if need be, for this user only: pictures of callers are kept in it.
    """
    if url is None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            advice = "set AFFIDAVIT_DATA_DIR to a folder that can be written"
            raise BadStore(f"cannot make {folder}: {error.strerror}; {advice}") from error
        return URL.create(SQLITE, database=str(folder / FILE))
    try:
        made = make_url(url)
    except ArgumentError as error:
        raise BadStore("AFFIDAVIT_STORE_URL is no URL; see docs/operating.md") from error
    kind = made.get_backend_name()
    if kind not in DRIVERS:
        rule = f"it must begin with {' or '.join(DRIVERS)}"
        raise BadStore(f"AFFIDAVIT_STORE_URL begins with {kind}: {rule}")
    return made.set(drivername=DRIVERS[kind])


def engine(url: URL) -> Engine:
    """An engine for the store at `url`, its schema up to date. Raises BadStore."""
    made = _engine(url)
    try:
        with made.begin() as connection:
            migrate(connection)
    except BadStore:
        made.dispose()
        raise
    except SQLAlchemyError as error:
        made.dispose()
        why = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise BadStore(f"cannot open the store {url.render_as_string()}: {why}") from error
    return made


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == POSTGRESQL:
        waits = {"connect_timeout": CONNECT_SECONDS}
        return create_engine(url, pool_pre_ping=True, connect_args=waits)
    made = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    return made


def _prepare(connection: object, _: ConnectionPoolEntry) -> None:
    # Transactions are begun by _begin; the driver would begin them only at the first write.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and then writes would fail if another wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def migrate(connection: Connection) -> None:
    """Bring the schema up to date, within the connection's transaction. Raises BadStore."""
    if connection.dialect.name == POSTGRESQL:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    found = revision(connection)
    if found is None:
        _make(connection)
    elif found != HEAD:
        _upgrade(connection)


def _make(connection: Connection) -> None:
    """The newest schema where there is none: as the migrations make it, a test compares."""
    METADATA.create_all(connection)
    REVISIONS.metadata.create_all(connection)
    connection.execute(insert(REVISIONS).values(version_num=HEAD))


def _upgrade(connection: Connection) -> None:
    """From an older revision to the newest."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except CommandError as error:
        advice = "it was made by another version of affidavit; run that one, or use another store"
        raise BadStore(f"the store cannot be brought to revision {HEAD}: {error}; {advice}") from (
            error
        )


def revision(connection: Connection) -> str | None:
    """The revision of the schema in the store; None if it is empty."""
    if not inspect(connection).has_table(REVISIONS.name):
        return None
    return connection.execute(select(REVISIONS.c.version_num)).scalar()


def private(url: URL) -> None:
    """Let nobody else read the file of the store, if it is one."""
    if url.get_backend_name() == SQLITE and url.database not in (None, "", ":memory:"):
        Path(str(url.database)).chmod(0o600)
