"""Devices: what is not here is said, and nothing is guessed."""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest
import torch

from models import devices
from models.devices import DeviceError, choose
from models.loading import Network
from models.registry import card


def machine(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)


@pytest.mark.parametrize(
    ("gpus", "named", "chosen"),
    [(0, "auto", "cpu"), (2, "auto", "cuda"), (2, "cpu", "cpu"), (2, "cuda:1", "cuda:1")],
)
def test_a_device_that_is_here(
    monkeypatch: pytest.MonkeyPatch, gpus: int, named: str, chosen: str
) -> None:
    machine(monkeypatch, gpus)
    assert choose(named) == chosen


@pytest.mark.parametrize(
    ("gpus", "named", "says"),
    [
        (0, "cuda", "no GPU that torch can use, only cpu"),
        (2, "cuda:2", "cuda:0 to cuda:1"),
        (2, "tpu", "must be auto, cpu, cuda or cuda:N"),
        (2, "cuda:", "must be auto"),
        (2, "cuda:-1", "must be auto"),
        (2, "", "must be auto"),
    ],
)
def test_a_device_that_is_not_here(
    monkeypatch: pytest.MonkeyPatch, gpus: int, named: str, says: str
) -> None:
    machine(monkeypatch, gpus)
    with pytest.raises(DeviceError, match=says):
        choose(named)


PARTS = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loose settings before the test, and afterwards whatever they were."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    before = [part.fp32_precision for part in PARTS]
    for part in PARTS:
        part.fp32_precision = "tf32"
    yield
    for part, precision in zip(PARTS, before, strict=True):
        part.fp32_precision = precision


@pytest.mark.usefixtures("untouched")
def test_a_network_on_a_gpu_computes_in_float32_proper_and_alike_each_time() -> None:
    # The settings come before anything moves to the GPU, so that this needs none.
    with suppress(RuntimeError, AssertionError):
        Network(card("digits-tiny"), "cuda")
    assert [part.fp32_precision for part in PARTS] == ["ieee"] * 3
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.deterministic
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


@pytest.mark.usefixtures("untouched")
def test_a_network_on_the_cpu_leaves_these_settings_alone() -> None:
    Network(card("digits-tiny"), "cpu")
    assert torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.conv.fp32_precision == "tf32"


def test_the_command_says_it_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert devices.main("cpu") == 0
    assert devices.main("cuda:99") == 1
    assert "cuda:99" in capsys.readouterr().err
