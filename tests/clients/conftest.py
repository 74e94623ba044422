"""A live server for the clients, and the folders where they are generated."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.served import served

ROOT = Path(__file__).parents[2]
PHOTO = sorted((ROOT / "tests/data/digits").glob("*.png"))[0]


@pytest.fixture(scope="session")
def photo() -> Path:
    return PHOTO


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real server with one real worker and the tiny network."""
    data = tmp_path_factory.mktemp("data")
    with served(data, AFFIDAVIT_CHUNK_SECONDS="0.05") as url:
        yield url


@pytest.fixture(scope="session")
def python_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the quick start and the client generated from the committed document."""
    folder = tmp_path_factory.mktemp("python")
    shutil.copy(ROOT / "clients/python/quickstart.py", folder)
    command = [str(Path(sys.executable).with_name("openapi-python-client")), "generate"]
    command += ["--path", str(ROOT / "openapi.json"), "--meta", "none"]
    command += ["--config", str(ROOT / "clients/python/generator.yaml")]
    command += ["--output-path", str(folder / "affidavit_client"), "--fail-on-warning"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def typescript_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the quick start and the client generated from the committed document."""
    source = ROOT / "clients/typescript"
    if shutil.which("npm") is None:
        pytest.skip("NOT TESTED: the TypeScript client needs Node.js and npm, which are not here")
    folder = tmp_path_factory.mktemp("clients") / "typescript"
    ours = shutil.ignore_patterns("node_modules", "affidavit", "built")
    shutil.copytree(source, folder, ignore=ours)
    shutil.copy(ROOT / "openapi.json", folder.parents[1])
    done = subprocess.run(
        ("npm", "ci", "--silent"), cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"NOT TESTED: npm cannot install the generator: {done.stderr.strip()[-300:]}")
    for script in ("generate", "check"):
        done = subprocess.run(
            ("npm", "run", "-s", script), cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder
