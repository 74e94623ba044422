"""Devices: what is not here is said, and nothing is guessed."""

import pytest
import torch

from models import devices
from models.devices import DeviceError, choose


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


def test_the_command_says_it_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert devices.main("cpu") == 0
    assert devices.main("cuda:99") == 1
    assert "cuda:99" in capsys.readouterr().err
