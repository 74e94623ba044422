"""Kill −9 of the worker, of the api process or of both, again and again, while jobs are at work:
every job that was accepted ends in the document that an undisturbed one would have been."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from certify.randomness import words
from tests.service.house import AT_ONCE, House, judge, waited

VICTIMS = ("worker", "api", "both")


def chaos(house: House, kills: int) -> None:
    """So many kills: some at any moment, the others once work has gone on since the last."""
    house.start()
    for number in range(kills):
        who, when, how_long = (int(word) for word in words(7, number, 0, 3))
        house.busy()
        if when % 2:
            before = house.progress()
            waited(lambda before=before: house.busy() or house.progress() != before)
        time.sleep(how_long % 500 / 1000)
        house.kill(VICTIMS[who % len(VICTIMS)])


@pytest.fixture
def house(tmp_path: Path, picture: bytes) -> Iterator[House]:
    made = House(tmp_path, None, picture)
    yield made
    made.close()


@pytest.fixture
def house_on_postgresql(tmp_path: Path, picture: bytes, postgresql: str) -> Iterator[House]:
    admin = create_engine(
        make_url(postgresql).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE chaos"))
    admin.dispose()
    made = House(tmp_path, postgresql.replace("/postgres?", "/chaos?"), picture)
    yield made
    made.close()


def test_ten_kills_change_no_document(house: House) -> None:
    chaos(house, 10)
    assert judge(house) >= AT_ONCE


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills_change_no_document(house: House) -> None:
    chaos(house, 100)
    assert judge(house) >= AT_ONCE


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_kills_change_no_document_on_postgresql(house_on_postgresql: House) -> None:
    chaos(house_on_postgresql, 20)
    assert judge(house_on_postgresql) >= AT_ONCE
