"""Set-up takes the CPU build of torch where it is told of one, and says where it could not."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = """#!/bin/bash
# Notes what it is asked for; the build of torch it knows is for CUDA if there is a file `cuda`.
echo "$*" >> "{folder}/asked"
if [ "$1" = -c ]; then test ! -e "{folder}/cuda"; fi
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with our Makefile, and a Python that installs nothing."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "locks", tmp_path / "locks")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.format(folder=tmp_path))
    python.chmod(0o755)
    return tmp_path


def setup(tree: Path, *options: str) -> tuple[list[str], str]:
    """What Python was asked for, and what was printed."""
    done = subprocess.run(
        ["make", "-C", str(tree), ".venv/ready", *options],
        capture_output=True,
        text=True,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tree / ".venv" / "ready").exists()
    return (tree / "asked").read_text().splitlines(), done.stdout


def test_an_index_of_cpu_builds_is_honoured_for_torch_alone(tree: Path) -> None:
    asked, said = setup(tree, "HARDWARE=cpu", "TORCH_INDEX=file:///builds")
    (torch,) = [line for line in asked if " torch==" in line]
    assert "--extra-index-url file:///builds torch==" in torch
    assert sum("file:///builds" in line for line in asked) == 1
    assert "hint" not in said


def test_without_one_pip_decides(tree: Path) -> None:
    asked, _ = setup(tree, "HARDWARE=cpu")
    assert not any("index" in line for line in asked)


def test_the_build_for_cuda_on_a_machine_without_is_said(tree: Path) -> None:
    (tree / "cuda").touch()
    _, said = setup(tree, "HARDWARE=cpu")
    assert "make setup TORCH_INDEX=" in said


def test_the_build_for_cuda_on_a_machine_with_a_gpu_is_right(tree: Path) -> None:
    (tree / "cuda").touch()
    asked, said = setup(tree, "HARDWARE=cuda")
    assert "hint" not in said
    assert any("locks/cuda.txt" in line for line in asked)
