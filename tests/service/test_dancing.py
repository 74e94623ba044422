"""Method dance over HTTP, with the tiny network and a real desk behind it."""

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models import images
from models.decoys.dance import dance
from models.decoys.search import Search
from models.loading import Network
from models.registry import card
from service.pool.chunks import Pace
from service.pool.desk import Desk
from service.pool.frames import decode_reply, decode_request, encode
from service.pool.messages import Dance, Danced, Seek, Sought
from service.pool.pools import LocalPool
from service.settings import Settings
from tests.service.conftest import Client

ROOT = Path(__file__).parents[2]
DIGIT = (ROOT / "tests" / "data" / "digits" / "3.png").read_bytes()
FIELDS: dict[str, Any] = {"method": "dance", "tolerance": 0.3, "steps": 4}
SEARCH = Search("lattice", "features.6", tolerance=0.3, steps=4)


def picture() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return images.decode(DIGIT, max_pixels=1000)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _desk() -> Desk:
    from models.sampling import Sampler

    return Desk(lambda name: Sampler(Network(card(name))), device="cpu", threads=1)


@pytest.fixture
def real() -> Client:
    """The application over a pool that computes in this process."""
    settings = Settings(default_model="digits-tiny", max_decoys=80)
    return Client(LocalPool(_desk), settings)  # type: ignore[arg-type]


def test_the_answer_is_the_range_and_says_everything_of_its_decoys(real: Client) -> None:
    answer = real.explain(DIGIT, **FIELDS, decoys=3).json()
    expected = dance(Network(card("digits-tiny")), picture(), 3, SEARCH)
    np.testing.assert_allclose(answer["map"], expected.range.max(axis=2), rtol=1e-6)
    assert (answer["method"], answer["target"], answer["samples"]) == ("dance", 3, 0)
    assert (answer["key"], answer["recipe"]["attribution"]) == (None, "gradient")
    decoys, records = answer["decoys"], expected.records
    assert (decoys["count"], decoys["null"], len(decoys["each"])) == (18, records.null, 18)
    assert (decoys["scheme"], decoys["layer"], decoys["linear"]) == ("lattice", "features.6", False)
    assert "where the paper moves one patch" in decoys["deviation_from_paper"]
    assert decoys["largest_distance"] == records.distances.max() <= decoys["limit"]
    assert decoys["limit"] == 0.3 * decoys["layer_deviation"]
    for name, theirs in (("l1", "l1"), ("linf", "linf"), ("gain", "gains"), ("number", "numbers")):
        assert [each[name] for each in decoys["each"]] == getattr(records, theirs).tolist()
    for number, text in enumerate(decoys["pictures"]):
        shown = np.asarray(Image.open(BytesIO(base64.b64decode(text))))
        change = np.abs(shown.astype(int) - picture())
        assert (change.sum(), change.max()) == (records.l1[number], records.linf[number])
    assert len(decoys["pictures"]) == 3


def test_every_parameter_reaches_the_search(real: Client) -> None:
    asked = {"scheme": "patches", "layer": "features.3", "patch": 4, "stride": 8, "cap": 9}
    answer = real.explain(DIGIT, **FIELDS, **asked, attribution="smoothgrad", target=5).json()
    search = Search("patches", "features.3", 4, 8, 0.3, 9, 4)
    expected = dance(Network(card("digits-tiny")), picture(), 5, search, "smoothgrad")
    np.testing.assert_allclose(answer["map"], expected.range.max(axis=2), rtol=1e-6)
    decoys = answer["decoys"]
    assert {name: decoys[name] for name in asked} == asked and decoys["count"] == 8
    assert decoys["deviation_from_paper"] is None and decoys["pictures"] == []
    assert max(each["linf"] for each in decoys["each"]) <= 9


def test_events_show_how_many_decoys_are_done(real: Client) -> None:
    fields = FIELDS | {"scheme": "patches"}
    answer = real.explain(DIGIT, accept="text/event-stream", **fields)
    events = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    names = [lines[0] for lines in events]
    told = [json.loads(lines[1].removeprefix("data: ")) for lines in events]
    assert names == ["event: progress"] * 3 + ["event: result"]
    assert [each["decoys"] for each in told[:-1]] == [32, 64, 72] and told[0]["total"] == 72
    assert told[-1]["decoys"]["count"] == 72


def test_other_methods_answer_events_too(real: Client) -> None:
    text = real.explain(DIGIT, accept="text/event-stream", method="gradient").text
    assert text.startswith("event: result\n") and '"method":"gradient"' in text


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream"])
def test_pictures_and_arrays(real: Client, kind: str) -> None:
    answer = real.explain(DIGIT, accept=kind, **FIELDS, cell=4)
    assert answer.status_code == 200 and answer.headers["content-type"] == kind
    if kind == "image/png":
        Image.open(BytesIO(answer.content)).verify()
    else:
        assert np.load(BytesIO(answer.content)).shape == (4, 4)


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"scheme": "rings"}, "scheme", "patches"),
        ({"layer": "classifier"}, "layer", "layers of digits-tiny are features.0"),
        ({"patch": 0}, "patch", "greater than or equal to 1"),
        ({"stride": 65}, "stride", "less than or equal to 64"),
        ({"tolerance": -1}, "tolerance", "greater than or equal to 0"),
        ({"cap": 256}, "cap", "less than or equal to 255"),
        ({"steps": 101}, "steps", "less than or equal to 100"),
        ({"decoys": 9}, "decoys", "less than or equal to 8"),
        ({"attribution": "lrp"}, "attribution", "signed map"),
        ({"samples": 10}, "samples", "method dance does not use it"),
        ({"method": "gradient"}, "tolerance", "method gradient does not use it"),
        ({"scheme": "patches", "stride": 1}, "scheme", "it takes 512 decoys and 80 are allowed"),
        ({"layer": "features.0", "stride": 1, "scheme": "patches"}, "scheme", "512 decoys"),
    ],
)
def test_what_breaks_a_rule_is_named(
    real: Client, fields: dict[str, Any], field: str, says: str
) -> None:
    answer = real.explain(DIGIT, **(FIELDS | fields))
    assert answer.status_code == 422
    faults = {each["field"]: each["rule"] for each in answer.json()["errors"]}
    assert says in faults[field]


def test_the_card_lists_layers_and_the_default(real: Client) -> None:
    made = real.get("/v1/models/efficientnet-lite0").json()
    assert made["layers"][:2] == ["stem", "blocks.0"] and made["layers"][-1] == "head"
    assert made["defaults"]["layer"] == "blocks.1"


def test_messages_about_decoys_travel() -> None:
    from service.pool.messages import Array

    desk, image = _desk(), Array.of(picture())
    for request in (
        Seek("digits-tiny", image, SEARCH, 2),
        Dance("digits-tiny", image, 3, SEARCH, "gradient", 0, 5),
    ):
        ticket, decoded = decode_request(encode(7, request))
        assert (ticket, decoded) == (7, request)
        reply = desk.answer(decoded)
        assert isinstance(reply, Sought | Danced)
        assert decode_reply(encode(7, reply)) == (7, reply)
    assert isinstance(reply, Danced) and len(reply.part().records) == 5
    Pace().observe(request, 1.0)
