"""A real PostgreSQL server for the tests, from Debian's package, on a socket of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

PACKAGE = Path("/usr/lib/postgresql")
NOBODY = "postgres"
NUMBERS = count()
ABSENT = "NO POSTGRESQL HERE: this half of the store's tests did not run; apt install postgresql"


def programs() -> Path | None:
    """The folder of the newest installed server's programs."""
    found = sorted(PACKAGE.glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@contextmanager
def server() -> Iterator[str]:
    """URL of the `postgres` database of a fresh server. Skips the test where none is installed."""
    bin_ = programs()
    if bin_ is None:
        pytest.skip(ABSENT)
    folder = Path(tempfile.mkdtemp(prefix="affidavit-postgres-"))
    # The server refuses to run as root.
    who = NOBODY if os.getuid() == 0 else None
    if who is not None:
        shutil.chown(folder, who)
    data = str(folder / "data")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    initdb = [str(bin_ / "initdb"), "-D", data, "-U", NOBODY, "--auth=trust", "-E", "UTF8"]
    control = [str(bin_ / "pg_ctl"), "-D", data, "-w", "-s"]
    start = [*control, "-o", options, "-l", str(folder / "log"), "start"]
    quiet = {"check": True, "user": who, "cwd": folder, "stdout": subprocess.DEVNULL}
    subprocess.run(initdb, **quiet)
    subprocess.run(start, **quiet)
    try:
        yield f"postgresql://{NOBODY}@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)


def database(server: str) -> str:
    """URL of a new, empty database on this server."""
    address = make_url(server).set(drivername="postgresql+psycopg")
    name = f"database_{next(NUMBERS)}"
    admin = create_engine(address, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    made = address.set(drivername="postgresql", database=name)
    return made.render_as_string(hide_password=False)
