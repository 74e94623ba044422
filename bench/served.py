"""The rate through the server: certificates over HTTP beside the network alone, in one run.

Everything takes turns, round by round: the bare network in one process and in two, one job and
eight jobs at once on a server with one worker and on one with two. So what the machine does besides
meets all alike, and ratios are of neighbours in time. A job counts from its request to its answer:
decoding, the look at the clean picture, noise, votes, merging, proofs on the way and at the end,
and the document. Writes docs/bench/served.json and the page docs/throughput-served.md.

    python -m bench.served                          both; less than 4 minutes on two quiet cores
    python -m bench.served --seconds 3 --rounds 1   a try
    python -m bench.served --page-only              the page from the record that is there
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.bare import Bare, bare_processes, together
from bench.live import Server, form, serving
from bench.provenance import ROOT, provenance
from bench.served_page import PAGE, RECORD, page

WORKERS = (1, 2)
JOBS = (1, 8)
WARM_SECONDS, WARM_SAMPLES = 2.0, 64
LONGEST_SECONDS = 900.0  # that a job may take, on a machine that is busy
LANES = 8  # of a batch, or a divisor of them
FEWEST = 40  # samples of a job: far fewer could prove nothing


async def certificates(server: Server, fields: dict[str, Any], samples: list[int]) -> float:
    """Seconds until all of these jobs, asked for at once, are answered with their certificate."""

    async def one(http: httpx.AsyncClient, number: int, count: int) -> None:
        own = fields | {"samples": count, "key": f"{number:032x}", "target": number}
        response = await http.post("/v1/certify", **form(**own))
        if response.status_code != 200:
            raise RuntimeError(f"no certificate within the request: {response.text[:300]}")

    async with httpx.AsyncClient(base_url=server.url, timeout=LONGEST_SECONDS) as http:
        began = time.monotonic()
        await asyncio.gather(*(one(http, n, count) for n, count in enumerate(samples)))
        return time.monotonic() - began


def counted(server: Server, model: str) -> tuple[float, float]:
    """Samples drawn and lanes computed of the model so far."""
    found = {"affidavit_samples_total": 0.0, "affidavit_lanes_total": 0.0}
    text = httpx.get(f"{server.url}/metrics").text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in found and sample.labels["model"] == model:
                found[sample.name] = sample.value
    samples, lanes = found.values()
    return samples, lanes


def served(server: Server, fields: dict[str, Any], samples: list[int]) -> dict[str, float]:
    """Samples a second, processor seconds for each, and the share of lanes that held one."""
    before, worked = counted(server, fields["model"]), server.processor_seconds()
    seconds = asyncio.run(certificates(server, fields, samples))
    worked = server.processor_seconds() - worked
    drawn, lanes = (b - a for a, b in zip(before, counted(server, fields["model"]), strict=True))
    return {"rate": drawn / seconds, "cpu": worked / drawn, "fill": drawn / lanes}


def split(samples: int, jobs: int) -> list[int]:
    """About so many samples as jobs; several are from half to three halves of their mean, and none
    of them fills its last batch."""
    if jobs == 1:
        return [max(samples, FEWEST)]
    mean = max(samples // jobs, 2 * FEWEST)
    sizes = [mean // 2 + mean * number // (jobs - 1) for number in range(jobs)]
    return [size // LANES * LANES + 1 + number % (LANES - 1) for number, size in enumerate(sizes)]


def once(
    servers: dict[int, Server], processes: list[Bare], fields: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """One round: everything once, each for about so long."""
    told: dict[str, Any] = {}
    for workers, server in servers.items():
        bare = together(processes[:workers], seconds)
        told[str(workers)] = {"bare": bare}
        for jobs in JOBS:
            samples = split(int(bare["rate"] * seconds), jobs)
            told[str(workers)][str(jobs)] = served(server, fields, samples)
    return told


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    """All rounds, after a warm-up that is not counted."""
    names = ("model", "attribution", "precision")
    fields = {name: getattr(chosen, name) for name in names}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            workers: stack.enter_context(
                serving(folder / str(workers), chosen.model, workers, LONGEST_SECONDS)
            )
            for workers in WORKERS
        }
        processes = stack.enter_context(bare_processes(max(WORKERS), *fields.values()))
        together(processes, WARM_SECONDS)
        for workers, server in servers.items():
            asyncio.run(certificates(server, fields, split(workers * WARM_SAMPLES, workers)))
        rounds = [once(servers, processes, fields, chosen.seconds) for _ in range(chosen.rounds)]
    run = {"seconds": chosen.seconds, "load_average": round(os.getloadavg()[0], 2)}
    return {"provenance": provenance(), **fields, **run, "rounds": rounds}


def main() -> None:
    """Measure unless told not to, then write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.served",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--attribution", default="gradient")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--seconds", type=float, default=9.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--page-only", action="store_true")
    chosen = parser.parse_args()
    if not chosen.page_only:
        chosen.record.write_text(json.dumps(measure(chosen), indent=1) + "\n")
    if chosen.record == RECORD:
        PAGE.write_text(page(json.loads(RECORD.read_text())))
        print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
