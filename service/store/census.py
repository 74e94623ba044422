"""How many jobs there are in each state."""

from sqlalchemy import Connection, func, select

from service.store.tables import JOBS


def census(connection: Connection, now: float) -> list[tuple[str, int, float]]:
    """State, number of jobs in it, and seconds since the oldest of them was accepted."""
    columns = (JOBS.c.state, func.count(), func.min(JOBS.c.created))
    found = connection.execute(select(*columns).group_by(JOBS.c.state))
    return [(state, number, max(0.0, now - created)) for state, number, created in found]
