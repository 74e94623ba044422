"""The routes beside explanations: models, verifying, health, the index; what there is not."""

import json
import subprocess
import sys
from typing import Any

import pytest

from models import registry


def test_the_list_and_the_cards_of_models(client: Any) -> None:
    listed = client.get("/v1/models").json()["models"]
    assert [each["name"] for each in listed] == list(registry.cards())
    for each in listed:
        card = client.get(f"/v1/models/{each['name']}").json()
        assert len(card["labels"]) == each["classes"] and card["size"] == each["size"]
        defaults = card["defaults"]
        assert 1 <= defaults["k"] < (card["size"] // defaults["cell"]) ** 2
    unknown = client.get("/v1/models/vgg")
    assert unknown.status_code == 404 and unknown.json()["type"].endswith("unknown-model")


def test_verify_tells_a_true_document_from_a_forged_one(client: Any, picture: bytes) -> None:
    def check(document: Any) -> Any:
        headers = {"content-type": "application/json"}
        return client.post("/v1/verify", content=json.dumps(document), headers=headers).json()

    document = client.certify(picture, samples=200).json()["certificate"]
    report = check(document)
    assert report["holds"] and all(c["holds"] for c in report["checks"]) and report["words"]
    document["certificate"]["curve"][0]["radius"] += 0.01
    forged = check(document)
    assert not forged["holds"]
    assert [c["name"] for c in forged["checks"] if not c["holds"]] == ["claims"]
    assert not check({"type": "affidavit/certificate"})["holds"]


def test_verify_refuses_what_is_not_json(client: Any) -> None:
    headers = {"content-type": "application/json"}
    response = client.post("/v1/verify", content=b"<xml/>", headers=headers)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "body")


def test_alive_and_ready_are_two_questions(client: Any, pool: Any) -> None:
    worker = {"name": "fake", "state": "idle", "restarts": 0}
    assert client.get("/readyz").json() == {
        "ready": True,
        "workers": [worker],
        "detail": "as told",
    }
    pool.well = False
    red = client.get("/readyz")
    assert red.status_code == 503
    assert red.json()["type"].endswith("workers-unavailable")
    assert red.headers["retry-after"] == "5"
    assert client.get("/healthz").json() == {"alive": True}


def test_unknown_addresses_and_methods(client: Any) -> None:
    missing = client.get("/v1/nothing")
    assert (missing.status_code, missing.json()["errors"][0]["value"]) == (404, "/v1/nothing")
    wrong = client.get("/v1/certify")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    for path in ("/v1/models", "/openapi.json"):
        removed = client.request("DELETE", path)
        assert (removed.status_code, removed.headers["allow"]) == (405, "GET, HEAD")
    for response in (missing, wrong):
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    ["/", "/healthz", "/readyz", "/v1/models", "/v1/models/digits-tiny", "/v1/models/vgg",
     "/v1/certify", "/openapi.json", "/nowhere"],
)  # fmt: skip
def test_head_is_get_without_the_body(client: Any, path: str) -> None:
    named = {"x-request-id": "the-same"}
    head, get = client.request("HEAD", path, headers=named), client.get(path, headers=named)
    assert head.status_code == get.status_code
    assert head.headers == get.headers
    assert head.content == b"" and get.content


def test_the_index_leads_on(client: Any) -> None:
    pointers = client.get("/").json()
    assert client.get(pointers["openapi"]).json()["openapi"].startswith("3.1")


def test_the_pool_lives_as_long_as_the_application(client: Any, pool: Any) -> None:
    client.get("/healthz")
    assert not pool.running


def test_the_api_process_imports_no_torch_nor_what_its_start_does_not_need() -> None:
    code = (
        "import sys\n"
        "from service.app import create_app\n"
        "from service.serving import worker_pool\n"
        "from service.settings import Settings\n"
        "app = create_app(Settings(), worker_pool(Settings()))\n"
        "app.openapi()\n"
        "import service.cli, service.demo, service.pool.worker_process\n"
        "late = {'torch', 'scipy.special', 'alembic'} & set(sys.modules)\n"
        "assert not late, late\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
