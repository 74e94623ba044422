"""The committed OpenAPI document is the service's, and other people's validators agree with it."""

import json
import subprocess
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from service.app import create_app
from service.pool.pools import LocalPool
from service.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_committed_document_is_what_the_service_answers(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path), LocalPool())
    committed = json.loads((ROOT / "openapi.json").read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(app.openapi())), "run `make clients` and commit"


def test_it_is_valid_openapi() -> None:
    validate(json.loads((ROOT / "openapi.json").read_text(encoding="utf-8")))


@pytest.mark.slow
def test_redocly_finds_nothing(typescript_client: Path) -> None:
    done = subprocess.run(
        ("npm", "run", "-s", "lint"),
        cwd=typescript_client,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
