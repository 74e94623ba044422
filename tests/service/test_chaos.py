"""Kill −9 of the worker, of the api process or of both, again and again, while jobs are at work:
every job that was accepted ends in the document that an undisturbed one would have been."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from certify.randomness import words
from tests.service import postgres
from tests.service.house import AT_ONCE, SHORT, House, judge, waited

VICTIMS = ("worker", "api", "both")
LOOK_SECONDS = 0.05
# Between two kills: so many samples at most, and so many milliseconds.
FAR, LATE = 1_500, 200


@dataclass
class Toll:
    """What was at work when something was killed: at each kill the victim and how many jobs; how
    often each job was hit. A job is at work if the last answer before the kill said so."""

    kills: list[tuple[str, int]] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)

    def add(self, victim: str, at_work: list[str]) -> None:
        self.kills.append((victim, len(at_work)))
        self.hits.update(at_work)

    def words(self, jobs: int) -> str:
        """The toll in a line, where there were so many jobs."""
        victims = Counter(victim for victim, _ in self.kills)
        several = sum(at_work > 1 for _, at_work in self.kills)
        who = ", ".join(f"{count} {victim}" for victim, count in sorted(victims.items()))
        return (
            f"{len(self.kills)} kills ({who}), {several} with several jobs at work; "
            f"{len(self.hits)} of {jobs} jobs hit, {self.hits.total()} times in all, "
            f"one of them {max(self.hits.values(), default=0)} times"
        )


def chaos(house: House, kills: int) -> Toll:
    """So many kills: one in four at any moment, while the server starts too, the others once jobs
    have got further by so many samples."""
    house.requests = SHORT
    house.start()
    toll = Toll()
    for number in range(kills):
        who, when, how_far, how_late = (int(word) for word in words(7, number, 0, 4))
        house.busy()
        if when % 4:
            goal = house.progress() + how_far % FAR
            waited(lambda goal=goal: house.busy() and house.progress() > goal, pause=LOOK_SECONDS)
        time.sleep(how_late % LATE / 1000)
        at_work = house.busy()
        victim = VICTIMS[who % len(VICTIMS)]
        house.kill(victim)
        toll.add(victim, at_work)
    return toll


@pytest.fixture
def house(tmp_path: Path, picture: bytes) -> Iterator[House]:
    made = House(tmp_path, None, picture)
    yield made
    made.close()


@pytest.fixture
def house_on_postgresql(tmp_path: Path, picture: bytes, postgresql: str) -> Iterator[House]:
    made = House(tmp_path, postgres.database(postgresql), picture)
    yield made
    made.close()


def survived(house: House, kills: int) -> Toll:
    """The toll of so many kills, after which every document is that of an undisturbed job."""
    toll = chaos(house, kills)
    jobs = judge(house)
    assert jobs >= AT_ONCE and len(toll.hits) >= AT_ONCE // 2
    print(toll.words(jobs))
    return toll


def test_ten_kills_change_no_document(house: House) -> None:
    survived(house, 10)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_kills_change_no_document(house: House) -> None:
    toll = survived(house, 100)
    assert len(toll.hits) >= 20 and {victim for victim, _ in toll.kills} == set(VICTIMS)
    assert sum(at_work > 1 for _, at_work in toll.kills) >= 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kills_change_no_document_on_postgresql(house_on_postgresql: House) -> None:
    assert len(survived(house_on_postgresql, 30).hits) >= 8
