"""The Dockerfile as a linter sees it, and what it promises about its packages."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_hadolint_finds_no_fault() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        pytest.skip("NOT TESTED: hadolint is not installed")
    done = subprocess.run(
        (linter, "--no-color", ROOT / "Dockerfile"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_that_the_image_needs_is_pinned() -> None:
    """Names come from pyproject.toml and versions from the lock: each name has to be in it."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = project.split("[project]")[1].split("dev = [")[0].split("tracing = [")[0]
    names = {
        name.lower().replace("_", "-")
        for name in re.findall(r'^    "([A-Za-z0-9_-]+)[\[><=]', needed, re.M)
    } - {"affidavit"}
    assert {"numpy", "torch", "fastapi", "sqlalchemy"} <= names
    for lock in ("cpu", "cuda"):
        lines = (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
        assert names <= {line.partition("==")[0].lower() for line in lines}


def test_nothing_comes_into_the_image_unasked() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule for rule in rules if rule.startswith("!")} == {
        "!certify",
        "!models",
        "!service",
        "!locks",
        "!pyproject.toml",
        "!README.md",
    }
