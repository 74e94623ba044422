"""KServe's documented requests: the verb `:explain` of V1, health and metadata of V2."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from certify.verify import verify
from models.registry import card
from service.pool.pools import WorkerLost
from service.settings import Settings
from tests.service.conftest import Client

EXPLAIN = "/v1/models/digits-tiny:explain"


def instance(picture: bytes, **fields: Any) -> dict[str, Any]:
    return {"image": {"b64": base64.b64encode(picture).decode()}, "samples": 64} | fields


def test_every_instance_gets_its_map_and_its_certificate(
    client: Any, picture: bytes, key: str
) -> None:
    given = [instance(picture, key=key, k=4, cell=4), instance(picture, key=key, k=3, cell=4)]
    answer = client.post(EXPLAIN, json={"instances": given})
    assert answer.status_code == 200
    first, second = answer.json()["explanations"]
    for explanation, k in ((first, 4), (second, 3)):
        proven = explanation["certified"]
        assert proven["answer"]["k"] == k
        assert verify(json.dumps(proven["certificate"]).encode()).holds
        maps = np.array(explanation["map"]), np.array(explanation["radii"])
        assert maps[0].shape == maps[1].shape and maps[0].ndim == 2
        # Every sample has k votes, and each goes to some feature.
        assert maps[0].sum() == pytest.approx(k)
        assert (maps[0][maps[1] > 0] > 0.5).all() and (maps[0][maps[1] < 0] < 0.5).all()
        assert (maps[1] != 0).any()


def test_it_is_the_same_certificate_as_that_of_v1_certify(
    client: Any, picture: bytes, key: str
) -> None:
    asked = {"key": key, "k": 4, "cell": 4}
    ours = client.certify(picture, samples=64, **asked).json()
    explained = client.post(EXPLAIN, json={"instances": [instance(picture, **asked)]}).json()
    theirs = explained["explanations"][0]["certified"]
    for name in ("curve", "reported", "answer", "summary"):
        assert theirs[name] == ours[name]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "instances"),
        ([], 422, "instances"),
        ({"instances": []}, 422, "instances"),
        ({"instances": [{}] * 17}, 422, "instances"),
        ({"instances": ["x"]}, 422, "instances"),
        ({"instances": [{"samples": 64}]}, 422, "image"),
        ({"instances": [{"image": "AAAA"}]}, 422, "image"),
        ({"instances": [{"image": {"b64": 7}}]}, 422, "image"),
        ({"instances": [{"image": {"b64": "%%"}}]}, 422, "image"),
        ({"instances": [{"image": {"b64": "AAAA"}}]}, 422, "image"),
        ({"instances": [{"image": {"b64": "AAAA"}, "model": "vgg"}]}, 422, "model"),
        ({"instances": [{"image": {"b64": "AAAA"}, "samples": 0}]}, 422, "samples"),
        ({"instances": [{"image": {"b64": "AAAA"}, "nonsense": 1}]}, 422, "nonsense"),
        ({"instances": [{}], "parameters": {}}, 422, "instances"),
    ],
)
def test_what_breaks_a_rule_is_told_before_anything_is_drawn(
    client: Any, pool: Any, body: Any, status: int, field: str
) -> None:
    answer = client.post(EXPLAIN, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"].startswith(field)
    assert pool.calls == []


@pytest.mark.parametrize("name", ["vgg", "..%2f..%2fetc%2fpasswd", "digits-tiny.toml", "%00"])
def test_a_model_that_is_not_there(client: Any, name: str) -> None:
    for answer in (
        client.post(f"/v1/models/{name}:explain", json={"instances": []}),
        client.get(f"/v2/models/{name}"),
        client.get(f"/v2/models/{name}/ready"),
    ):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_worker_that_is_lost_is_said(client: Any, pool: Any, picture: bytes) -> None:
    pool.failure = WorkerLost("gone")
    answer = client.post(EXPLAIN, json={"instances": [instance(picture)]})
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("workers-unavailable")


def test_health_and_metadata_of_the_open_inference_protocol(client: Any, pool: Any) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    server = client.get("/v2").json()
    assert (server["name"], server["extensions"]) == ("affidavit", [])
    told = client.get("/v2/models/digits-tiny").json()
    known = card("digits-tiny")
    rows = known.size // known.defaults.cell
    assert (told["name"], told["versions"]) == ("digits-tiny", [known.weights])
    assert told["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [1]}]
    assert [t["shape"] for t in told["outputs"]] == [[rows, rows]] * 2
    assert client.get("/v2/models/digits-tiny/ready").json() == {
        "name": "digits-tiny",
        "ready": True,
    }
    pool.well = False
    for path in ("/v2/health/ready", "/v2/models/digits-tiny/ready"):
        assert client.get(path).status_code == 503
    assert client.get("/v2/health/live").status_code == 200


def test_a_model_without_weights_is_not_ready(
    client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("AFFIDAVIT_WEIGHTS", str(tmp_path))
    answer = client.get("/v2/models/efficientnet-lite0/ready")
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("model-unavailable")


def test_instances_together_must_fit_into_the_queue(
    pool: Any, picture: bytes, tmp_path: Any
) -> None:
    small = Settings(default_model="digits-tiny", queue_samples=150, data_dir=tmp_path)
    client = Client(pool, small)
    one = client.post(EXPLAIN, json={"instances": [instance(picture)] * 2})
    assert one.status_code == 200
    pool.calls.clear()
    many = client.post(EXPLAIN, json={"instances": [instance(picture)] * 3})
    assert many.status_code == 429 and int(many.headers["retry-after"]) >= 1
    assert pool.calls == []
