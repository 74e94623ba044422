"""Parameters that break a rule: a problem naming field, value and rule, and what would do."""

from typing import Any

import pytest

from service import orders
from tests.service.bad_input import GOOD, assert_refused

CERTIFY = [
    ({"model": "resnet-9000"}, "unknown-model", "model", "resnet-9000"),
    ({"model": ""}, "invalid-parameters", "model", ""),
    ({"model": 7}, "invalid-parameters", "model", "7"),
    ({"model": "../../etc/passwd"}, "unknown-model", "model", "../../etc/passwd"),
    ({"k": 0}, "invalid-parameters", "k", "0"),
    ({"k": -1}, "invalid-parameters", "k", "-1"),
    ({"k": 64}, "invalid-parameters", "k", "64"),
    ({"k": 10**400}, "invalid-parameters", "k", None),
    ({"k": 3.5}, "invalid-parameters", "k", "3.5"),
    ({"k": "3"}, "invalid-parameters", "k", "3"),
    ({"k": True}, "invalid-parameters", "k", "true"),
    ({"k": [3]}, "invalid-parameters", "k", "[3]"),
    ({"k": 3, "fraction": 0.5}, "invalid-parameters", "k", "3"),
    ({"fraction": 0}, "invalid-parameters", "fraction", "0"),
    ({"fraction": 1}, "invalid-parameters", "fraction", "1"),
    ({"stop": "proven"}, "invalid-parameters", "stop", "proven"),
    ({"stop": "proven", "overlap": 0.5}, "invalid-parameters", "stop", "proven"),
    ({"stop": "proven", "radius": 0.1}, "invalid-parameters", "stop", "proven"),
    (
        {"stop": "proven", "overlap": 0.5, "radius": 0.1, "confidence": "fixed"},
        "invalid-parameters",
        "stop",
        "proven",
    ),
    ({"stop": "soon"}, "invalid-parameters", "stop", "soon"),
    ({"strict": "perhaps"}, "invalid-parameters", "strict", "perhaps"),
    ({"overlap": 0.5, "radius": 2.0}, "too-few-samples", "samples", "1000"),
    ({"overlap": 0}, "invalid-parameters", "overlap", "0"),
    ({"overlap": 1.01}, "invalid-parameters", "overlap", "1.01"),
    ({"radius": 0}, "invalid-parameters", "radius", "0"),
    ({"radius": -0.1}, "invalid-parameters", "radius", "-0.1"),
    ({"radius": 1e308}, "invalid-parameters", "radius", "1e+308"),
    ({"cell": 0}, "invalid-parameters", "cell", "0"),
    ({"cell": 3}, "invalid-parameters", "cell", "3"),
    ({"cell": 10**9}, "invalid-parameters", "cell", "1000000000"),
    ({"cell": 16, "k": 1}, "invalid-parameters", "k", "1"),
    ({"scale": 0}, "invalid-parameters", "scale", "0"),
    ({"scale": 1 / 255}, "invalid-parameters", "scale", None),
    ({"scale": 0.00395}, "invalid-parameters", "scale", "0.00395"),
    ({"scale": 4.1}, "invalid-parameters", "scale", "4.1"),
    ({"scale": -1e300}, "invalid-parameters", "scale", "-1e+300"),
    ({"votes": 0}, "invalid-parameters", "votes", "0"),
    ({"votes": 64}, "invalid-parameters", "votes", "64"),
    ({"samples": 0}, "invalid-parameters", "samples", "0"),
    ({"samples": 5001}, "invalid-parameters", "samples", "5001"),
    ({"samples": 10**300}, "invalid-parameters", "samples", None),
    ({"norm": "0.5"}, "invalid-parameters", "norm", "0.5"),
    ({"norm": "max"}, "invalid-parameters", "norm", "max"),
    ({"norm": 2}, "invalid-parameters", "norm", "2"),
    ({"law": "cauchy"}, "invalid-parameters", "law", "cauchy"),
    ({"law": "liu2021", "norm": "500"}, "invalid-parameters", "request", ""),
    ({"shape": 4}, "invalid-parameters", "shape", "4"),
    ({"law": "generalized_normal", "shape": 5}, "invalid-parameters", "shape", "5"),
    ({"law": "generalized_normal", "shape": 2}, "invalid-parameters", "shape", "2"),
    ({"failure_probability": 0}, "invalid-parameters", "failure_probability", "0"),
    ({"failure_probability": 1}, "invalid-parameters", "failure_probability", "1"),
    ({"failure_probability": -0.5}, "invalid-parameters", "failure_probability", "-0.5"),
    ({"confidence": "certain"}, "invalid-parameters", "confidence", "certain"),
    ({"target": -1}, "invalid-parameters", "target", "-1"),
    ({"target": 10}, "invalid-parameters", "target", "10"),
    ({"key": "abc"}, "invalid-parameters", "key", "abc"),
    ({"key": "g" * 32}, "invalid-parameters", "key", "g" * 32),
    ({"key": "0" * 33}, "invalid-parameters", "key", "0" * 33),
    ({"pictures": "perhaps"}, "invalid-parameters", "pictures", "perhaps"),
    ({"sigma": 0.25}, "invalid-parameters", "sigma", "0.25"),
    ({"__class__": {}}, "invalid-parameters", "__class__", "{}"),
    ({"samples": 3}, "too-few-samples", "samples", "3"),
    ({"radius": 2.0}, "too-few-samples", "samples", "1000"),
    ({"failure_probability": 1e-300, "samples": 100}, "too-few-samples", "samples", "100"),
]


@pytest.mark.parametrize(("fields", "kind", "field", "value"), CERTIFY, ids=str)
def test_parameters_of_certify(
    client: Any, pool: Any, fields: dict[str, Any], kind: str, field: str, value: str | None
) -> None:
    errors = assert_refused(client.certify(GOOD, **fields), kind, field, pool)
    blamed = next(error for error in errors if error["field"] == field)
    assert value is None or blamed["value"] == value


def test_what_certify_alone_finds_wrong_is_told_to_the_caller(
    client: Any, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**values: Any) -> None:
        raise ValueError("shade is 7; it must be at most 6")

    monkeypatch.setattr(orders, "Recipe", refuse)
    estimate = client.post("/v1/certify/estimate", json={"model": "digits-tiny"})
    for response in (client.certify(GOOD), client.explain(GOOD, method="renyi"), estimate):
        (error,) = assert_refused(response, "invalid-parameters", "request", pool)
        assert error["rule"] == "shade is 7; it must be at most 6"


EXPLAIN = [
    ({}, "method", "nothing"),
    ({"method": "lime"}, "method", "lime"),
    ({"method": None}, "method", "null"),
    ({"method": "gradient", "votes": 3}, "votes", "3"),
    ({"method": "gradient", "scale": 0.25}, "scale", "0.25"),
    ({"method": "smoothgrad", "votes": 3}, "votes", "3"),
    ({"method": "renyi", "votes": 64}, "votes", "64"),
    ({"method": "renyi", "cell": 5}, "cell", "5"),
    ({"method": "smoothgrad", "samples": 5001}, "samples", "5001"),
    ({"method": "gradient", "k": 3}, "k", "3"),
]


@pytest.mark.parametrize(("fields", "field", "value"), EXPLAIN, ids=str)
def test_parameters_of_explain(
    client: Any, pool: Any, fields: dict[str, Any], field: str, value: str
) -> None:
    errors = assert_refused(client.explain(GOOD, **fields), "invalid-parameters", field, pool)
    assert (field, value) in [(error["field"], error["value"]) for error in errors]


FORMS = [
    ({"k": "nan"}, "k"),
    ({"radius": "nan"}, "radius"),
    ({"radius": "inf"}, "radius"),
    ({"radius": "1e999"}, "radius"),
    ({"k": ""}, "k"),
    ({"k": "9" * 900}, "k"),
    ({"scale": "0x1p-3"}, "scale"),
    ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("fields", "field"), FORMS, ids=str)
def test_parameters_as_text(client: Any, pool: Any, fields: dict[str, str], field: str) -> None:
    form = {"model": "digits-tiny"} | fields
    response = client.post("/v1/certify", files={"image": ("p.png", GOOD)}, data=form)
    assert_refused(response, "invalid-parameters", field, pool)


def test_several_faults_are_reported_at_once(client: Any, pool: Any) -> None:
    response = client.certify(GOOD, k=64, cell=2, votes=70, target=99, overlap=0.5, stop="proven")
    errors = assert_refused(response, "invalid-parameters", "k", pool)
    assert {error["field"] for error in errors} == {"k", "votes", "target", "stop"}


def test_too_few_samples_says_how_many_would_do_and_they_do(client: Any, pool: Any) -> None:
    response = client.certify(GOOD, samples=5, radius=0.2)
    (error,) = assert_refused(response, "too-few-samples", "samples", pool)
    needed = int(error["advice"].split()[2])
    still = client.certify(GOOD, samples=needed - 1, radius=0.2)
    assert_refused(still, "too-few-samples", "samples", pool)
    assert client.certify(GOOD, samples=needed, radius=0.2).status_code == 200


def test_no_advice_asks_for_more_samples_than_are_allowed(client: Any, pool: Any) -> None:
    few = type(client)(pool, client.settings.model_copy(update={"max_samples": 50}))
    asked = {"samples": 5, "radius": 0.2}
    (error,) = assert_refused(few.certify(GOOD, **asked), "too-few-samples", "samples", pool)
    enough = client.certify(GOOD, **asked).json()["errors"][0]["advice"].split()[2]
    assert int(enough) > 50
    assert error["advice"].startswith(f"it takes {enough} samples and 50 are allowed here; ask for")


def test_a_radius_that_no_number_of_samples_can_prove_says_so(client: Any, pool: Any) -> None:
    response = client.certify(GOOD, radius=90.0)
    (error,) = assert_refused(response, "too-few-samples", "samples", pool)
    assert error["advice"].startswith("no number of samples would do; ask for a smaller radius")
