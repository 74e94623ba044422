"""Keys of callers in the store, by name: their SHA-256, never the key."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from service.store.tables import API_KEYS


@dataclass(frozen=True)
class Entry:
    """One key: its name, the SHA-256 of it, since when, and how many samples an hour it may have
    drawn; None: as many as the operator's setting says."""

    name: str
    digest: str
    created: float
    samples_an_hour: int | None


def add(connection: Connection, entry: Entry) -> bool:
    """Keep an entry; whether its name was free."""
    taken = select(API_KEYS.c.name).where(API_KEYS.c.name == entry.name)
    if connection.execute(taken).first() is not None:
        return False
    own = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    connection.execute(insert(API_KEYS).values(**own))
    return True


def entries(connection: Connection) -> tuple[Entry, ...]:
    """Every entry, by name."""
    columns = (API_KEYS.c[name] for name in Entry.__dataclass_fields__)
    rows = connection.execute(select(*columns).order_by(API_KEYS.c.name))
    return tuple(Entry(*row) for row in rows)


def remove(connection: Connection, name: str) -> bool:
    """Drop the entry of this name; whether there was one."""
    return connection.execute(delete(API_KEYS).where(API_KEYS.c.name == name)).rowcount == 1
