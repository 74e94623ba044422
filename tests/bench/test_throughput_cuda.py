"""The program that a GPU session runs is run here on the CPU, where its numbers say nothing."""

import json
import sys
from pathlib import Path

import pytest
import torch

from bench import throughput_cuda


def test_the_whole_program_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput_cuda, "ROUNDS", 2)
    monkeypatch.setattr(throughput_cuda, "TRIAL", 1)
    words = "--device cpu --models digits-tiny --lanes 8 --precisions bfloat16 --seconds 0.001"
    monkeypatch.setattr(
        sys, "argv", ["bench.throughput_cuda", *words.split(), "--out", str(tmp_path)]
    )
    threads = torch.get_num_threads()
    throughput_cuda.main()
    torch.set_num_threads(threads)
    record = json.loads((tmp_path / "throughput_cuda.json").read_text())
    assert record["failed"] == record["not measured"] == []
    (evidence,) = record["evidence"]
    assert evidence.pop("setting") == "digits-tiny bfloat16 8"
    assert len(evidence) == 6 and all(evidence.values())
    arms = {row["arm"]: row for row in record["rows"]}
    assert {"bare, 1 in flight", "draw, 4 in flight", "draw, plain sampler"} < arms.keys()
    assert all(0 < row["least"] <= row["rate"] <= row["most"] for row in arms.values())
    assert all(row["samples"] % 8 == 0 for row in arms.values())


def test_settings_without_time_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = f"--device cpu --models digits-tiny --lanes 1 8 --minutes 0 --out {tmp_path}"
    monkeypatch.setattr(sys, "argv", ["bench.throughput_cuda", *words.split()])
    threads = torch.get_num_threads()
    throughput_cuda.main()
    torch.set_num_threads(threads)
    record = json.loads((tmp_path / "throughput_cuda.json").read_text())
    assert record["not measured"][0] == "digits-tiny float32 1"
    assert len(record["not measured"]) == 4 and record["rows"] == []
