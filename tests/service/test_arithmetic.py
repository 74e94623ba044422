"""Precision and lanes: asked for, on the document, refused where they cannot be had."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from certify.document import dumps
from certify.plan import PRECISIONS, Plan
from certify.verify import verify
from models.features import magnitude, pool
from models.images import decode
from models.loading import Network
from models.precision import FLOAT32_ONLY, precisions
from models.sampling import Sampler
from service.commands import replaying
from service.failures import as_problem
from service.orders import certify_order, explain_order
from service.pipeline import Certified, certify, explain, receive
from service.pool.chunks import Pace
from service.pool.messages import Array, Draw
from service.pool.pools import LocalPool, WorkRefused
from service.settings import Settings

DIGIT = (Path(__file__).parents[1] / "data" / "digits" / "3.png").read_bytes()
SETTINGS = Settings(default_model="digits-tiny")


def certified(**fields: Any) -> Certified:
    order = certify_order({"samples": 64, "radius": 0.01, **fields}, False, SETTINGS)

    async def story() -> Certified:
        local = LocalPool(device="cpu")
        await local.start()
        try:
            steps = certify(local, order, receive(DIGIT, order.card, 10**6), proofs=False)
            return [step async for step in steps if isinstance(step, Certified)].pop()
        finally:
            await local.stop()

    return asyncio.run(story())


def test_a_certificate_of_low_precision_verifies_replays_and_says_so() -> None:
    done = certified(precision="bfloat16", lanes=8, key="0" * 32)
    recipe = done.document["plan"]["recipe"]
    assert (recipe["precision"], recipe["lanes"]) == ("bfloat16", 8)
    data = dumps(done.document)
    assert verify(data).holds
    look = Sampler(Network(done.order.card)).look(done.subject.picture, precision="bfloat16")
    np.testing.assert_array_equal(done.look.probabilities, look.probabilities)
    console = Console(record=True, width=200)
    assert replaying.run(data, DIGIT, SETTINGS, console) == 0
    assert "replay: 0 of 1024 votes differ" in console.export_text()
    other = json.loads(data)
    other["plan"]["recipe"]["precision"] = "float8"
    assert not verify(json.dumps(other).encode()).holds


def test_a_plain_map_is_that_of_its_precision() -> None:
    fields = {"method": "plain", "precision": "float16", "cell": 2}
    order = explain_order(fields, False, SETTINGS)

    async def story() -> Any:
        local = LocalPool(device="cpu")
        await local.start()
        try:
            return await explain(local, order, receive(DIGIT, order.card, 10**6))
        finally:
            await local.stop()

    done = asyncio.run(story())
    low = Network(order.card).at("float16")
    pixels = torch.from_numpy(decode(DIGIT, max_pixels=256)[None]).float().requires_grad_()
    (slope,) = torch.autograd.grad(low(pixels)[0, done.look.target], pixels)
    np.testing.assert_allclose(done.scores.ravel(), pool(magnitude(slope), 2)[0], rtol=1e-6)


def test_models_say_what_is_offered(client: Any) -> None:
    listed = client.get("/v1/models").json()["models"]
    assert all(each["precisions"] == list(PRECISIONS) for each in listed)
    card = client.get("/v1/models/digits-tiny").json()
    assert card["defaults"]["lanes"] == 32 and card["precisions"] == list(PRECISIONS)
    offered = {each["name"]: tuple(each["precisions"]) for each in card["attributions"]}
    assert offered == {name: precisions(name) for name in offered}
    assert offered["lrp"] == ("float32",)


def test_answers_name_precision_and_lanes(client: Any, picture: bytes) -> None:
    fields = {"precision": "bfloat16", "lanes": 16, "samples": 64}
    recipe = client.explain(picture, method="renyi", **fields).json()["recipe"]
    assert (recipe["precision"], recipe["lanes"]) == ("bfloat16", 16)
    answer = client.certify(picture, pictures=True, **fields).json()
    assert any("computed in bfloat16" in line for line in answer["summary"])
    plain = client.explain(picture, method="plain").json()["recipe"]
    assert (plain["precision"], plain["lanes"]) == ("float32", None)


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({"precision": "bfloat16", "attribution": "lrp"}, "precision", FLOAT32_ONLY["lrp"]),
        ({"precision": "float64"}, "precision", "'float32', 'bfloat16', 'float16' or 'tf32'"),
        ({"lanes": 12}, "lanes", "digits-tiny takes 1, 8, 16, 32 here"),
        ({"lanes": 64}, "lanes", "digits-tiny takes 1, 8, 16, 32 here"),
        ({"lanes": 8, "strict": True}, "lanes", "strict is one picture at a time"),
    ],
)
def test_what_cannot_be_computed_is_refused(
    client: Any, picture: bytes, fields: dict[str, Any], field: str, rule: str
) -> None:
    answer = client.certify(picture, **fields)
    (fault,) = answer.json()["errors"]
    assert answer.status_code == 422 and fault["field"] == field and rule in fault["rule"]


def test_what_only_gpus_have_is_refused_without_one_before_anything_is_drawn() -> None:
    with pytest.raises(
        WorkRefused, match="tf32, and the device cpu; only an NVIDIA GPU"
    ) as refused:
        certified(precision="tf32")
    assert as_problem(refused.value, 1).problem().status == 422


def test_decoys_are_sought_in_float32_and_clean_maps_have_no_lanes(
    client: Any, picture: bytes
) -> None:
    answer = client.explain(picture, method="dance", precision="float16")
    (fault,) = answer.json()["errors"]
    assert answer.status_code == 422 and FLOAT32_ONLY["dance"] in fault["rule"]
    (fault,) = client.explain(picture, method="plain", lanes=8).json()["errors"]
    assert fault["rule"] == "method plain does not use it"


def test_the_pace_of_a_precision_is_its_own() -> None:
    def plan(**more: Any) -> Plan:
        order = certify_order({"samples": 64, **more}, False, SETTINGS)
        return order.noise.plan(order.card, "0" * 64, 0)

    pace = Pace()
    pace.observe(Draw(plan(), Array.of(np.zeros((1, 1, 3), np.uint8)), 0, 640), 1.0)
    assert pace.samples_per_second(plan()) == 640
    assert pace.samples_per_second(plan(precision="bfloat16")) is None
    assert pace.samples_per_second(plan(lanes=8)) is None
