"""Eight small requests at once to a real server: full batches, and what each alone would get."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service.house import PATIENCE, House, finished, judge, waited
from tests.service.pools import DIGITS

# Sample numbers that fill no batch; other noise, cells, scores and classes to explain.
ASKED: tuple[dict[str, Any], ...] = (
    {"samples": 100},
    {"samples": 100, "target": 3},
    {"samples": 71, "scale": 0.5},
    {"samples": 115, "cell": 4},
    {"samples": 150, "law": "laplace", "norm": "1"},
    {"samples": 133, "score": "linear"},
    {"samples": 85, "target": 7},
    {"samples": 100, "radius": 0.05},
)
# Sums of scores but the last, a little more than full batches each: alone they would fill 0.74.
EXPLAINED: tuple[dict[str, Any], ...] = (
    {"samples": 66},
    {"samples": 67, "target": 3},
    {"samples": 68, "scale": 0.5},
    {"samples": 69, "cell": 4},
    {"samples": 70},
    {"samples": 98, "cell": 1},
    {"samples": 99},
    {"samples": 100, "method": "renyi", "score": "linear"},
)


@pytest.fixture(scope="module", params=["1", pytest.param("2", marks=pytest.mark.slow)])
def house(
    tmp_path_factory: pytest.TempPathFactory, picture: bytes, request: pytest.FixtureRequest
) -> Iterator[House]:
    settings = {"AFFIDAVIT_JOBS_AT_ONCE": "9", "AFFIDAVIT_WORKERS": request.param}
    made = House(tmp_path_factory.mktemp("sharing"), None, picture, settings=settings)
    made.start()
    waited(lambda: made.ready())
    yield made
    made.close()


def told(house: House, **labels: str) -> dict[str, float]:
    """What the metrics with these labels say."""
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(house.text("/metrics"))
        for sample in family.samples
        if sample.labels == labels
    }


def counted(house: House) -> tuple[float, float]:
    """Samples drawn and pictures computed so far."""
    found = told(house, model="digits-tiny")
    return found.get("affidavit_samples_total", 0.0), found.get("affidavit_lanes_total", 0.0)


@contextmanager
def standing_still(house: House) -> Iterator[None]:
    """The workers stand still until all have come."""
    for pid in house.workers():
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in house.workers():
            os.kill(pid, signal.SIGCONT)


@contextmanager
def full_batches(house: House, asked: tuple[dict[str, Any], ...]) -> Iterator[None]:
    """All samples that were asked for are drawn meanwhile, and nine lanes in ten hold one."""
    before = counted(house)
    yield
    samples, lanes = (b - a for a, b in zip(before, counted(house), strict=True))
    assert samples == sum(fields["samples"] for fields in asked)
    assert samples / lanes >= 0.9


def test_eight_small_jobs_fill_their_batches_and_are_each_as_if_alone(house: House) -> None:
    with full_batches(house, ASKED):
        with standing_still(house):
            for number, fields in enumerate(ASKED):
                house.asked[f"small-{number}"] = fields | {"key": f"{number:032x}"}
                house.resubmit(f"small-{number}")
        finished(house)
    assert judge(house) == len(ASKED)


def test_eight_small_maps_fill_their_batches_and_are_each_as_if_alone(house: House) -> None:
    """Of eight pictures; asked for once more one after another, the answers are the same."""

    def explained(number: int) -> dict[str, Any]:
        fields = {"method": "smoothgrad", "key": f"{number:032x}"} | EXPLAINED[number]
        picture = {"image": ("p.png", DIGITS[number].read_bytes())}
        response = house.http.post("/v1/explain", files=picture, data=fields, timeout=PATIENCE)
        assert response.status_code == 200, response.text
        return dict(response.json())

    numbers = range(len(EXPLAINED))
    with ThreadPoolExecutor(len(EXPLAINED)) as callers, full_batches(house, EXPLAINED):
        with standing_still(house):
            asked = [callers.submit(explained, number) for number in numbers]
            # They, and who looks.
            waited(lambda: told(house)["affidavit_http_requests_in_flight"] > len(EXPLAINED))
        together = [each.result() for each in asked]
    assert together == [explained(number) for number in numbers]
    assert len({tuple(map(tuple, each["map"])) for each in together}) == len(EXPLAINED)
