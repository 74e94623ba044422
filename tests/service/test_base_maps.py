"""A base map can be asked for where the model has it, is refused elsewhere, and tells its cost."""

import asyncio
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from certify.plan import Plan
from certify.verify import verify
from models import registry
from models.attribution.bases import ATTRIBUTIONS
from models.attribution.methods import METHODS
from models.features import magnitude
from models.features import pool as cells
from models.images import decode
from models.loading import Network
from service.orders import certify_order, explain_order
from service.pipeline import explain, receive
from service.pool.chunks import Pace
from service.pool.messages import Array, Draw
from service.pool.pools import LocalPool
from service.schemas import AttributionName
from service.settings import Settings

DIGIT = Path(__file__).parents[1] / "data" / "digits" / "3.png"
SETTINGS = Settings(default_model="digits-tiny")


def test_the_names_of_requests_are_those_of_recipes() -> None:
    assert get_args(AttributionName) == tuple(METHODS)


def test_a_card_says_what_its_model_supports_and_what_it_costs(client: Any) -> None:
    for name in ("digits-tiny", "efficientnet-lite0"):
        listed = client.get(f"/v1/models/{name}").json()["attributions"]
        assert [each["name"] for each in listed] == list(METHODS)
        assert [each["passes"] for each in listed] == [m.passes for m in METHODS.values()]
        supported = [each["name"] for each in listed if each["supported"]]
        assert tuple(supported) == registry.card(name).attributions
        assert all(each["supported"] == (each["reason"] is None) for each in listed)


@pytest.mark.parametrize("path", ["certify", "explain", "estimate"])
def test_what_a_model_does_not_support_is_refused(client: Any, picture: bytes, path: str) -> None:
    asks = {
        "certify": lambda: client.certify(picture, attribution="grad_cam"),
        "explain": lambda: client.explain(picture, method="plain", attribution="grad_cam"),
        "estimate": lambda: client.estimate(attribution="grad_cam"),
    }
    answer = asks[path]()
    (fault,) = answer.json()["errors"]
    assert answer.status_code == 422 and fault["field"] == "attribution"
    assert fault["rule"].startswith("digits-tiny does not support it: its planes are flattened")
    assert "lrp" in fault["advice"] and "grad_cam" not in fault["advice"]


def test_an_unknown_name_lists_the_known_ones(client: Any, picture: bytes) -> None:
    answer = client.certify(picture, attribution="deeplift")
    (fault,) = answer.json()["errors"]
    assert answer.status_code == 422 and fault["field"] == "attribution"
    assert "'input_x_gradient'" in fault["rule"] and "GET /v1/models" in fault["advice"]


def test_the_method_gradient_has_its_own_base_map(client: Any, picture: bytes) -> None:
    answer = client.explain(picture, method="gradient", attribution="lrp")
    (fault,) = answer.json()["errors"]
    assert fault["advice"] == "ask for method plain, or leave it out"
    same = [
        client.explain(picture, method=method, cell=8, **more).json()
        for method, more in (("gradient", {}), ("gradient", {"attribution": "gradient"}))
    ]
    assert same[0] == same[1] and same[0]["recipe"]["attribution"] == "gradient"


@pytest.mark.parametrize("name", ["lrp", "smoothgrad"])
def test_a_plain_map_is_that_of_the_clean_picture(name: str) -> None:
    order = explain_order({"method": "plain", "attribution": name, "cell": 2}, False, SETTINGS)
    subject = receive(DIGIT.read_bytes(), order.card, 10**6)

    async def story() -> Any:
        local = LocalPool(device="cpu")
        await local.start()
        try:
            return await explain(local, order, subject)
        finally:
            await local.stop()

    done = asyncio.run(story())
    network, image = Network(order.card), decode(DIGIT.read_bytes(), max_pixels=256)
    maps = ATTRIBUTIONS[name](network, torch.from_numpy(image[None]).float(), done.look.target)
    np.testing.assert_allclose(done.scores.ravel(), cells(magnitude(maps), 2)[0], rtol=1e-4)


@pytest.mark.parametrize("method", ["smoothgrad", "renyi"])
def test_base_maps_under_noise_are_told_in_the_answer(
    client: Any, picture: bytes, method: str
) -> None:
    answer = client.explain(picture, method=method, attribution="rise", samples=64, pictures=True)
    assert answer.json()["recipe"]["attribution"] == "rise"


def test_a_certificate_names_its_base_map(client: Any, picture: bytes) -> None:
    answer = client.certify(picture, attribution="lrp", samples=300, pictures=True).json()
    document = answer["certificate"]
    assert document["plan"]["recipe"]["attribution"] == "lrp"
    assert verify(json.dumps(document).encode()).holds


def test_the_pace_of_a_base_map_follows_from_its_passes_until_it_is_measured() -> None:
    def plan(**more: Any) -> Plan:
        order = certify_order(more, False, SETTINGS)
        return order.noise.plan(order.card, "0" * 64, 0)

    pace, rise = Pace(workers=2), plan(attribution="rise")
    assert pace.samples_per_second(rise) is None and pace.batches(rise, 1000) == 1
    pace.observe(Draw(plan(), Array.of(np.zeros((1, 1, 3), np.uint8)), 0, 640), 1.0)
    assert pace.samples_per_second(plan()) == 1280
    foreseen = 1280 * METHODS["gradient"].passes / METHODS["rise"].passes
    assert pace.samples_per_second(rise) == pytest.approx(foreseen)
    pace.observe(Draw(rise, Array.of(np.zeros((1, 1, 3), np.uint8)), 0, 64), 2.0)
    assert pace.samples_per_second(rise) == 64 and pace.samples_per_second(plan()) == 1280
