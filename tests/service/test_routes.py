"""What each route answers, in each content type, over a pool that computes without a network."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from certify import scores
from certify.verify import HONEST, verify
from models import registry
from models.images import decode, digest, fit
from service.pool.pools import WorkerLost, WorkFailed, WorkRefused


def test_an_explanation_says_everything_about_itself(client: Any, picture: bytes, key: str) -> None:
    answer = client.explain(
        picture, method="renyi", cell=4, scale=0.5, votes=3, samples=200, key=key, target=7
    ).json()
    card = registry.card("digits-tiny")
    assert answer["model"] == "digits-tiny" and answer["weights"] == card.weights
    assert answer["image"] == digest(fit(decode(picture, max_pixels=10**6), card))
    assert (answer["target"], answer["label"], answer["method"]) == (7, "7", "renyi")
    assert answer["recipe"] == {
        "attribution": "gradient",
        "cell": 4,
        "law": "gaussian",
        "scale": 0.5,
        "votes": 3,
        "score": "vote",
        "lanes": card.lanes,
        "precision": "float32",
    }
    assert (answer["samples"], answer["key"]) == (200, key)
    probabilities = [each["probability"] for each in answer["prediction"]]
    assert answer["prediction"][0]["target"] == 3
    assert len(probabilities) == 5 and probabilities == sorted(probabilities, reverse=True)
    # Every sample casts 3 votes, so the map's shares sum to 3.
    assert np.shape(answer["map"]) == (4, 4) and np.sum(answer["map"]) == pytest.approx(3)


@pytest.mark.parametrize("score", ["linear", "sigmoid"])
def test_points_by_rank_certify_over_http(client: Any, picture: bytes, score: str) -> None:
    fields = {"score": score, "votes": 6, "k": 6, "cell": 4, "samples": 600}
    answer = client.certify(picture, **fields, pictures=True).json()
    document = answer["certificate"]
    assert document["plan"]["recipe"]["score"] == score and document["evidence"]["votes"] is None
    assert verify(json.dumps(document).encode()).holds
    assert any(point["radius"] > 0 for point in answer["curve"])
    mean = client.explain(picture, method="renyi", cell=4, votes=6, score=score, samples=64).json()
    weight = scores.weight(score, 6, 16)
    assert sum(document["evidence"]["counts"]) == 600 * scores.points(score, 6, 16).sum()
    assert mean["recipe"]["score"] == score
    assert np.sum(mean["map"]) == pytest.approx(float(weight))


def test_the_plain_gradient_is_pooled_and_draws_no_noise(
    client: Any, pool: Any, picture: bytes
) -> None:
    answer = client.explain(picture, method="gradient", cell=8).json()
    ramp = np.arange(256.0).reshape(2, 8, 2, 8)
    assert answer["map"] == ramp.mean(axis=(1, 3)).tolist()
    assert (answer["samples"], answer["key"]) == (0, None)
    assert pool.calls == ["look"]


def test_smoothgrad_divides_the_sum_by_the_samples(client: Any, picture: bytes) -> None:
    answer = client.explain(picture, method="smoothgrad", cell=8, samples=50).json()
    assert answer["map"] == [[0, 1], [2, 3]]
    assert answer["recipe"]["votes"] is None and len(answer["key"]) == 32


def test_json_and_form_give_the_same_certificate(client: Any, picture: bytes, key: str) -> None:
    by_json = client.certify(picture, radius=0.05, samples=300, k=9, key=key).json()
    form = {"model": "digits-tiny", "radius": "0.05", "samples": "300", "k": "9", "key": key}
    by_form = client.post("/v1/certify", files={"image": ("p.png", picture)}, data=form).json()
    for answer in (by_json, by_form):
        answer["certificate"].pop("identifier"), answer["certificate"].pop("issued")
    assert by_json == by_form


def test_base64_may_be_broken_into_lines(client: Any, picture: bytes) -> None:
    body = {"model": "digits-tiny", "method": "gradient"}
    wrapped = base64.encodebytes(picture).decode()
    assert client.post("/v1/explain", json=body | {"image": wrapped}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "name"), [({"radius": 0.05}, "radius"), ({"overlap": 0.75}, "overlap"), ({}, "curve")]
)
def test_the_answer_is_the_point_of_the_curve_that_was_asked_for(
    client: Any, picture: bytes, asked: dict[str, float], name: str
) -> None:
    answer = client.certify(picture, samples=500, k=16, **asked).json()
    reply, curve = answer["answer"], {p["at_least"]: p["radius"] for p in answer["curve"]}
    assert (reply["asked"], reply["k"]) == (name, 16)
    if name == "radius":
        assert reply["radius"] == 0.05
        assert reply["at_least"] == max(n for n, radius in curve.items() if radius >= 0.05)
    else:
        assert reply["at_least"] == {"overlap": 12, "curve": 8}[name]
        assert reply["radius"] == curve[reply["at_least"]] > 0
    assert f"At least {reply['at_least']} of the 16" in answer["summary"][1]
    joint = answer["joint"]
    assert f"at least {joint['at_least']} of " in answer["summary"][0]
    assert joint["target"] == answer["target"] and joint["at_least"] >= reply["at_least"]
    assert joint["radius"] <= reply["radius"]
    assert list(curve.values()) == sorted(curve.values())


def test_the_certificate_in_the_answer_holds(client: Any, picture: bytes) -> None:
    answer = client.certify(picture, samples=200).json()
    report = verify(json.dumps(answer["certificate"]).encode())
    assert report.holds
    # The verifier adds what the evidence itself rests on.
    assert [*report.words[:-1], report.signature] == answer["summary"]
    assert report.words[-1] == HONEST


def test_a_fresh_key_is_drawn_each_time_and_named_as_such(
    client: Any, picture: bytes, key: str
) -> None:
    first, second = (client.certify(picture, samples=100).json() for _ in range(2))
    assert first["key_origin"] == second["key_origin"] == "fresh"
    assert first["key"] != second["key"]
    assert first["certificate"]["subject"]["key_source"] == "service"
    named = client.certify(picture, samples=100, key=key.upper()).json()
    assert (named["key_origin"], named["key"]) == ("request", key)
    assert named["certificate"]["subject"]["key_source"] == "request"


def test_a_request_that_names_no_model_gets_the_default(client: Any, picture: bytes) -> None:
    response = client.post(
        "/v1/explain", files={"image": ("p.png", picture)}, data={"method": "gradient"}
    )
    assert response.json()["model"] == "digits-tiny"


def test_fraction_is_k_as_a_share_rounded_down(client: Any, picture: bytes) -> None:
    assert client.certify(picture, samples=100, fraction=0.3).json()["answer"]["k"] == 19
    assert client.certify(picture, samples=100, fraction=0.001).json()["answer"]["k"] == 1


@pytest.mark.parametrize("path", ["certify", "explain"])
def test_png_is_a_picture_and_npy_an_array(client: Any, picture: bytes, path: str) -> None:
    def ask(accept: str) -> bytes:
        options = {"samples": 100, "cell": 4}
        options |= {"method": "renyi"} if path == "explain" else {}
        response = getattr(client, path)(picture, accept=accept, **options)
        assert response.headers["content-type"] == accept
        content: bytes = response.content
        return content

    with Image.open(io.BytesIO(ask("image/png"))) as image:
        assert image.format == "PNG" and image.width > 600
    array = np.load(io.BytesIO(ask("application/octet-stream")), allow_pickle=False)
    assert array.shape == (4, 4) and array.dtype == np.float64
    assert np.isfinite(array).all() and len(np.unique(array)) > 1


def test_the_array_of_a_certificate_holds_its_feature_radii(
    client: Any, picture: bytes, key: str
) -> None:
    answer = client.certify(picture, samples=100, key=key).json()
    raw = client.certify(picture, "application/octet-stream", samples=100, key=key).content
    stated = answer["certificate"]["certificate"]["feature_radii"]
    assert np.load(io.BytesIO(raw)).reshape(-1).tolist() == stated


def test_pictures_come_with_the_json_when_asked_for(client: Any, picture: bytes, key: str) -> None:
    assert client.certify(picture, samples=100).json()["pictures"] is None
    asked = {"samples": 100, "key": key}
    answer = client.certify(picture, pictures=True, **asked).json()["pictures"]
    assert (
        base64.b64decode(answer["regions"]) == client.certify(picture, "image/png", **asked).content
    )
    assert base64.b64decode(answer["overlay"]).startswith(b"\x89PNG")
    asked["method"] = "renyi"
    overlay = client.explain(picture, pictures=True, **asked).json()["overlay"]
    assert base64.b64decode(overlay) == client.explain(picture, "image/png", **asked).content


def test_events_show_progress_and_end_with_the_same_answer(
    client: Any, picture: bytes, key: str, parse_events: Any
) -> None:
    response = client.certify(picture, "text/event-stream", samples=1000, key=key)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = parse_events(response.text)
    progress = [data for name, data in events if name == "progress"]
    assert [name for name, _ in events] == ["progress"] * len(progress) + ["result"]
    # The newest state each time, whenever the caller is ready for it.
    told = [p["samples"] for p in progress]
    assert told == sorted(set(told)) and told[-1] == 1000 and len(told) > 4
    assert {p["total"] for p in progress} == {1000}
    proven = [p["radius"] for p in progress if p["radius"] is not None]
    # More samples of this steady pool never prove less.
    assert proven and proven == sorted(proven)
    result = events[-1][1]
    assert proven[-1] <= result["answer"]["radius"]
    direct = client.certify(picture, samples=1000, key=key).json()
    for answer in (result, direct):
        answer["certificate"].pop("identifier"), answer["certificate"].pop("issued")
    assert result == direct


def test_fixed_confidence_proves_nothing_on_the_way(
    client: Any, picture: bytes, parse_events: Any
) -> None:
    response = client.certify(picture, "text/event-stream", samples=500, confidence="fixed")
    events = parse_events(response.text)
    assert {data["radius"] for name, data in events if name == "progress"} == {None}
    assert events[-1][1]["answer"]["radius"] > 0


@pytest.mark.parametrize(
    ("failure", "status", "slug"),
    [
        (WorkerLost("gone"), 503, "workers-unavailable"),
        (WorkRefused("plan anew"), 422, "invalid-parameters"),
        (WorkFailed("boom"), 500, "internal-error"),
        (KeyError("a secret"), 500, "internal-error"),
    ],
)
def test_failures_behind_the_routes(
    client: Any,
    pool: Any,
    picture: bytes,
    parse_events: Any,
    failure: Exception,
    status: int,
    slug: str,
) -> None:
    pool.failure = failure
    response = client.certify(picture, samples=100)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"].endswith(slug)
    assert "secret" not in response.text and "Traceback" not in response.text
    assert ("retry-after" in response.headers) == (status == 503)
    ((name, data),) = parse_events(client.certify(picture, "text/event-stream", samples=100).text)
    assert (name, data["status"]) == ("problem", status)
