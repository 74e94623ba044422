"""KServe's own Python client against a live server.

It needs packages that are no concern of ours, so it runs in an environment of its own: the one
whose interpreter AFFIDAVIT_KSERVE_PYTHON names, or one made here, which takes minutes.
"""

import base64
import json
import os
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.served import served

ROOT = Path(__file__).parents[2]
PHOTO = sorted((ROOT / "tests/data/digits").glob("*.png"))[0]
KSERVE = "kserve==0.21.0"
PROGRAM = """
import asyncio, json, sys
from kserve import InferenceRESTClient, RESTConfig

url, model, image = sys.argv[1:]

async def main():
    one, two = (InferenceRESTClient(RESTConfig(protocol=p)) for p in ("v1", "v2"))
    instance = {"image": {"b64": image}, "samples": 200}
    told = {
        "v1 live": await one.is_server_live(url),
        "v1 ready": await one.is_model_ready(url, model),
        "v2 live": await two.is_server_live(url),
        "v2 ready": await two.is_server_ready(url),
        "v2 model": await two.is_model_ready(url, model),
        "v2 nothing": await two.is_model_ready(url, "vgg"),
        "explained": await one.explain(url, model, {"instances": [instance, instance]}),
    }
    try:
        await one.explain(url, model, {"instances": []})
    except Exception as error:
        told["refused"] = str(error)
    print(json.dumps(told))

asyncio.run(main())
"""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def kserve(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter that has KServe's client."""
    if named := os.environ.get("AFFIDAVIT_KSERVE_PYTHON"):
        return named
    folder = tmp_path_factory.mktemp("kserve")
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    command = (python, "-m", "pip", "install", "-q", KSERVE)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT TESTED: {KSERVE} does not install here: {done.stderr.strip()[-300:]}")
    return python


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with served(tmp_path) as found:
        yield found


def test_it_explains_and_asks_after_health(kserve: str, url: str) -> None:
    image = base64.b64encode(PHOTO.read_bytes()).decode()
    done = subprocess.run(
        (kserve, "-c", PROGRAM, url, "digits-tiny", image),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert [told[f"v1 {what}"] for what in ("live", "ready")] == [True, True]
    assert [told[f"v2 {what}"] for what in ("live", "ready", "model")] == [True, True, True]
    assert told["v2 nothing"] is False
    assert "422" in told["refused"]
    explanations = told["explained"]["explanations"]
    assert len(explanations) == 2
    assert all(one["certified"]["samples"] == 200 for one in explanations)
