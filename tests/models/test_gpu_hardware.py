"""What is asked of CUDA, by a fake of it: streams, graphs, and what happens without a graph.

Nothing here ran on a GPU; tests/gpu does where there is one.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from models.gpu.hardware import WARM_UPS, Cuda


class FakeCuda:
    """Streams that write down what happens, and graphs that fail as told."""

    def __init__(self, patch: pytest.MonkeyPatch, failing: Exception | None) -> None:
        self.said: list[str] = []
        self._failing = failing
        patch.setattr(torch.cuda, "Stream", self.stream)
        patch.setattr(torch.cuda, "stream", self.on)
        patch.setattr(torch.cuda, "graph", self.capture)
        patch.setattr(torch.cuda, "CUDAGraph", self.graph)
        patch.setattr(torch.cuda, "current_stream", lambda device: f"current of {device}")

    def stream(self, device: torch.device) -> SimpleNamespace:
        self.said.append(f"stream on {device}")
        return SimpleNamespace(
            device=device,
            synchronize=lambda: self.said.append("synchronize"),
            wait_stream=lambda other: self.said.append(f"after {other}"),
        )

    def graph(self) -> SimpleNamespace:
        return SimpleNamespace(replay=lambda: self.said.append("replay"))

    @contextmanager
    def on(self, stream: SimpleNamespace) -> Iterator[None]:
        self.said.append("on stream")
        yield
        self.said.append("off stream")

    @contextmanager
    def capture(self, graph: object, **how: object) -> Iterator[None]:
        assert how["capture_error_mode"] == "thread_local" and "stream" in how
        yield
        if self._failing:
            raise self._failing
        self.said.append("captured")


DEVICE = torch.device("cuda:1")
WARMING = ["on stream", "work", "off stream"] * WARM_UPS + ["synchronize", "work"]


def made(
    monkeypatch: pytest.MonkeyPatch, failing: Exception | None = None, graphs: bool = True
) -> list[str]:
    """What was said while one piece of work was made repeatable and then done."""
    fake = FakeCuda(monkeypatch, failing)
    queue = Cuda(DEVICE, graphs).queue()
    queue.follow()
    queue.submit(queue.repeatable(lambda: fake.said.append("work")))
    assert fake.said[:2] == ["stream on cuda:1", "after current of cuda:1"]
    return fake.said[2:]


def test_repeated_work_becomes_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    said = made(monkeypatch)
    assert said == [*WARMING, "captured", "on stream", "replay", "off stream"]


def test_work_that_cannot_be_captured_is_done_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        said = made(monkeypatch, RuntimeError("operation not permitted"))
    assert said == [*WARMING, "on stream", "work", "off stream"]
    assert "no CUDA graph" in caplog.text and "operation not permitted" in caplog.text


def test_graphs_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made(monkeypatch, graphs=False) == [*WARMING[:-1], "on stream", "work", "off stream"]


def test_too_little_memory_for_a_graph_is_too_little_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        made(monkeypatch, torch.OutOfMemoryError("full"))
