"""Estimates: feasible is what /v1/certify takes, and what is advised is feasible."""

import base64
import re
from typing import Any

import numpy as np
import pytest

from certify.plan import Plan
from models import registry
from service.orders import certify_order
from service.pool.chunks import Pace
from service.pool.messages import Array, Draw
from service.settings import Settings

CASES = [
    {},
    {"samples": 5},
    {"radius": 0.2},
    {"radius": 0.2, "samples": 40},
    {"overlap": 0.9, "samples": 40},
    {"overlap": 0.9, "radius": 0.2, "samples": 60},
    {"overlap": 0.9, "radius": 0.3},
    {"radius": 2.0},
    {"radius": 40.0},
    {"confidence": "fixed", "samples": 12},
]


@pytest.mark.parametrize("fields", CASES, ids=str)
def test_feasible_is_exactly_what_certify_takes(
    client: Any, picture: bytes, pool: Any, fields: dict[str, Any]
) -> None:
    found = client.estimate(**fields).json()
    assert pool.calls == []
    taken = client.certify(picture, **fields).status_code
    assert taken == (200 if found["feasible"] else 422)


@pytest.mark.parametrize("fields", CASES, ids=str)
def test_the_samples_needed_are_feasible_and_one_less_is_not(
    client: Any, fields: dict[str, Any]
) -> None:
    needed = client.estimate(**fields).json()["samples_needed"]
    if needed is None or needed > client.settings.max_samples:
        return
    assert client.estimate(**fields | {"samples": needed}).json()["feasible"]
    assert not client.estimate(**fields | {"samples": needed - 1}).json()["feasible"]


@pytest.mark.parametrize(
    "fields", [{"radius": 0.5, "samples": 60}, {"radius": 1.1}, {"overlap": 1.0, "radius": 1.5}]
)
def test_the_radius_and_the_scale_advised_are_feasible(client: Any, fields: dict[str, Any]) -> None:
    found = client.estimate(**fields).json()
    assert not found["feasible"]
    words = " ".join(found["advice"])
    radius = float(re.search(r"radius (\S+), or less", words)[1])  # type: ignore[index]
    scale = float(re.search(r"scale (\S+): radii", words)[1])  # type: ignore[index]
    assert radius == found["largest_radius"]
    assert client.estimate(**fields | {"radius": radius}).json()["feasible"]
    assert not client.estimate(**fields | {"radius": radius + 1e-6}).json()["feasible"]
    assert client.estimate(**fields | {"scale": scale}).json()["feasible"]
    assert not client.estimate(**fields | {"scale": scale * 0.99}).json()["feasible"]


def test_more_samples_than_the_server_draws_are_named(client: Any) -> None:
    needed = client.estimate(radius=1.2).json()
    assert needed["samples_needed"] is None or needed["samples_needed"] > 5000
    words = client.estimate(radius=40.0).json()["advice"]
    assert "No number of samples would do." in words
    assert not any("scale" in line for line in words)


def test_what_is_asked_is_repeated(client: Any) -> None:
    found = client.estimate(k=16, overlap=0.75, radius=0.1).json()
    assert (found["asked"], found["wanted"], found["radius"], found["k"]) == ("claim", 12, 0.1, 16)
    assert (found["features"], found["model"], found["samples"]) == (64, "digits-tiny", 1000)
    bare = client.estimate().json()
    assert (bare["asked"], bare["wanted"], bare["radius"]) == ("curve", None, None)


def test_time_is_unknown_until_something_was_measured(client: Any, pool: Any) -> None:
    unknown = client.estimate().json()
    assert unknown["seconds"] is unknown["seconds_at_best"] is None
    assert any("unknown" in line for line in unknown["advice"])
    pool.pace = 40.0
    known = client.estimate(samples=1000).json()
    assert known["seconds"] == 25.0
    assert known["seconds_at_best"] == round(known["samples_needed"] / 40, 2)
    assert not any("unknown" in line for line in known["advice"])


def test_the_pace_is_that_of_all_workers_for_a_model_at_its_lanes() -> None:
    pace = Pace(workers=3)
    fields: dict[str, Any] = {"model": "digits-tiny"}

    def plan(**more: Any) -> Plan:
        order = certify_order(fields | more, False, Settings())
        return order.noise.plan(registry.card("digits-tiny"), "0" * 64, 0)

    assert pace.samples_per_second(plan()) is None
    pace.observe(Draw(plan(), Array.of(np.zeros((1, 1, 3), np.uint8)), 0, 64), 0.64)
    assert pace.samples_per_second(plan()) == 300
    assert pace.samples_per_second(plan(scale=0.5, cell=4)) == 300
    assert pace.samples_per_second(plan(strict=True)) is None


def test_a_picture_may_be_left_out_but_a_bad_one_is_refused(client: Any, picture: bytes) -> None:
    good = base64.b64encode(picture).decode()
    assert client.estimate(image=good).json() == client.estimate().json()
    for bad in ("", "????", "aaaa", None, 7):
        assert client.estimate(image=bad).json()["type"].endswith("bad-image")
    files = {"image": ("p.png", picture)}
    form = {"model": "digits-tiny", "radius": "0.1"}
    with_picture = client.post("/v1/certify/estimate", files=files, data=form)
    without = client.post("/v1/certify/estimate", files={"radius": (None, "0.1")})
    assert with_picture.json() == without.json() == client.estimate(radius=0.1).json()
    broken = client.post("/v1/certify/estimate", files={"image": ("p.png", b"x")}, data=form)
    assert broken.json()["type"].endswith("bad-image")


@pytest.mark.parametrize("fields", [{"k": 0}, {"cell": 3}, {"stop": "proven"}, {"sigma": 1}])
def test_parameters_are_judged_as_for_a_certificate(
    client: Any, picture: bytes, fields: dict[str, Any]
) -> None:
    here, there = client.estimate(**fields), client.certify(picture, **fields)
    assert here.status_code == there.status_code == 422
    assert here.json() == there.json()
