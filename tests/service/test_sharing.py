"""Eight small jobs at once through a real server: full batches, and the documents of jobs alone."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service.house import House, finished, judge, waited

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


@pytest.fixture(params=["1", pytest.param("2", marks=pytest.mark.slow)])
def house(tmp_path: Path, picture: bytes, request: pytest.FixtureRequest) -> Iterator[House]:
    settings = {"AFFIDAVIT_JOBS_AT_ONCE": "9", "AFFIDAVIT_WORKERS": request.param}
    made = House(tmp_path, None, picture, settings=settings)
    made.start()
    yield made
    made.close()


def counted(house: House) -> tuple[float, float]:
    """Samples drawn and pictures computed so far."""
    told = {
        sample.name: sample.value
        for family in text_string_to_metric_families(house.text("/metrics"))
        for sample in family.samples
        if sample.labels.get("model") == "digits-tiny"
    }
    return told.get("affidavit_samples_total", 0.0), told.get("affidavit_lanes_total", 0.0)


def test_eight_small_jobs_fill_their_batches_and_are_each_as_if_alone(house: House) -> None:
    """The workers stand still until all eight have come."""
    waited(lambda: house.ready())
    for pid in house.workers():
        os.kill(pid, signal.SIGSTOP)
    for number, fields in enumerate(ASKED):
        house.asked[f"small-{number}"] = fields | {"key": f"{number:032x}"}
        house.resubmit(f"small-{number}")
    for pid in house.workers():
        os.kill(pid, signal.SIGCONT)
    finished(house)
    samples, lanes = counted(house)
    assert samples == sum(fields["samples"] for fields in ASKED)
    assert samples / lanes >= 0.9
    assert judge(house) == len(ASKED)
