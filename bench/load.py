"""The service under load: what waiting in line costs, and whether anything gets lost.

Starts the real server and measures: its start; what HTTP and queue add to an explanation; how much
longer an explanation takes beside a certificate of 100 000 samples, also where a worker is kept for
explanations; and, with --minutes, what many clients at once find: errors, lost jobs, memory. Jobs
that the crowd leaves have --drain minutes to end, then they are cancelled, and are told apart.
Writes docs/bench/load.json.

    python -m bench.load                              start, overhead, fairness
    python -m bench.load --clients 200 --minutes 10   the same, then the crowd
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from bench.crowd import soak
from bench.live import LATER, MODELS, NPY, PATIENCE, Line, Server, Shares, form, quantiles, serving
from bench.provenance import ROOT, provenance
from service.settings import bundled_photo

OUT = ROOT / "docs" / "bench" / "load.json"
LONG_JOB = 100_000


def explaining(server: Server, model: str) -> Line:
    """A line on which explanations are asked for."""
    return Line(server, "/v1/explain", NPY, **form(model, method="gradient"))


def alone(model: str, count: int) -> list[float]:
    """Seconds of the model itself for the same picture, in this process."""
    from models import images
    from models.registry import card
    from service.pool.messages import Array, Look
    from service.pool.worker_process import open_desk

    desk, chosen = open_desk("cpu"), card(model)
    data = bundled_photo().read_bytes()
    picture = images.read(data, chosen, max_pixels=10**8)
    request = Look(model, Array.of(picture), None)
    desk.answer(request)
    taken = []
    for _ in range(count):
        began = time.monotonic()
        desk.answer(request)
        taken.append(time.monotonic() - began)
    return taken


def preparing(model: str, count: int) -> list[float]:
    """Seconds of decoding and fitting the picture, which is neither model nor queue."""
    from models import images
    from models.registry import card

    data, taken = bundled_photo().read_bytes(), []
    for _ in range(count):
        began = time.monotonic()
        images.read(data, card(model), max_pixels=10**8)
        taken.append(time.monotonic() - began)
    return taken


def fairness(server: Server, model: str, count: int) -> dict[str, Any]:
    """An explanation with and without a certificate of LONG_JOB samples at work."""
    line = explaining(server, model)
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as http:
        line.seconds(3)
        without = line.seconds(count)
        job = http.post("/v1/certify", **form(model, samples=LONG_JOB), headers=LATER)
        address = job.headers["location"]
        while not http.get(address).json()["drawn"]:
            time.sleep(0.1)
        beside = line.seconds(count)
        told = http.delete(address).json()
    ratio = quantiles(beside)["p95_ms"] / quantiles(without)["p95_ms"]
    return {
        "without": quantiles(without),
        "beside_long_job": quantiles(beside),
        "p95_ratio": round(ratio, 2),
        "long_job": {"samples": LONG_JOB, "drawn": told["drawn"], "state": told["state"]},
    }


def overhead(server: Server, model: str, count: int) -> dict[str, Any]:
    """What HTTP and queue add to an explanation, beyond picture and model."""
    line = explaining(server, model)
    line.seconds(5)
    before = server.computed()
    over_http = quantiles(line.seconds(count))
    after = server.computed()
    used = Shares(
        1000 * (after.api - before.api) / count, 1000 * (after.workers - before.workers) / count
    )
    parts = {
        "model": quantiles(alone(model, count)),
        "picture": quantiles(preparing(model, count)),
    }
    own = over_http["p50_ms"] - parts["model"]["p50_ms"]
    return {
        "http": over_http,
        "processor_ms": used.rounded(2),
        **parts,
        "overhead_p50_ms": round(own, 2),
        "without_picture_p50_ms": round(own - parts["picture"]["p50_ms"], 2),
    }


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for."""
    found: dict[str, Any] = {"provenance": provenance(), "load_average": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        starts = []
        for number in range(chosen.starts):
            with serving(Path(folder) / f"start-{number}", MODELS[0]) as server:
                starts.append(server.start)
        found["api_start"] = [asdict(start) for start in starts]
        with serving(Path(folder) / "main", chosen.model) as server:
            for model in dict.fromkeys((MODELS[0], chosen.model)):
                found[model] = overhead(server, model, chosen.explains)
                found[model] |= fairness(server, model, chosen.explains)
        with serving(Path(folder) / "reserve", chosen.model, reserve=1) as server:
            for model in dict.fromkeys((MODELS[0], chosen.model)):
                found[model]["with_a_reserve"] = fairness(server, model, chosen.explains)
        if chosen.minutes:
            with serving(Path(folder) / "crowd", MODELS[0]) as server:
                crowd = soak(server, chosen.clients, chosen.minutes, chosen.drain)
                found["crowd"] = asyncio.run(crowd)
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--model", default=MODELS[1])
    parser.add_argument("--explains", type=int, default=60)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--drain", type=float, default=3.0)
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    text = json.dumps(measure(chosen), indent=2) + "\n"
    chosen.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
