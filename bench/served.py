"""The rate through the server: certificates over HTTP beside the network alone, in one run.

Everything takes turns, round by round: the bare network in one process and in two, one job and
eight jobs at once on a server with one worker and on one with two. So what the machine does besides
meets all alike, and ratios are of neighbours in time. A job counts from its request to its answer:
decoding, the look at the clean picture, noise, votes, merging, proofs on the way and at the end,
and the document. At last eight SmoothGrad maps at once, for the fill of their batches alone. Writes
docs/bench/served.json and the page docs/throughput-served.md.

    python -m bench.served                          both; a quarter of an hour
    python -m bench.served --seconds 3 --rounds 1   a try
    python -m bench.served --maps-only              the maps anew, the rest as it was recorded
    python -m bench.served --page-only              the page from the record that is there
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.bare import Bare, bare_processes, together
from bench.live import Server, form, serving
from bench.provenance import ROOT, provenance
from bench.served_page import LANES, PAGE, RECORD, page
from models.registry import card

WORKERS = (1, 2)
JOBS = (1, 8)
WARM_SECONDS, WARM_SAMPLES = 2.0, 64
LONGEST_SECONDS = 900.0  # that a job may take, on a machine that is busy
FEWEST = 40  # samples of a job: far fewer could prove nothing
MAPS = tuple(n * LANES + 1 for n in range(1, 9))  # samples: the last batch of each holds one
FIELDS = ("model", "attribution", "precision")


CERTIFY, EXPLAIN = "/v1/certify", "/v1/explain"


async def answers(server: Server, path: str, fields: dict[str, Any], samples: list[int]) -> float:
    """Seconds until all of these requests, made at once, are answered with what they asked for."""

    async def one(http: httpx.AsyncClient, number: int, count: int) -> None:
        own = fields | {"samples": count, "key": f"{number:032x}", "target": number}
        response = await http.post(path, **form(**own))
        if response.status_code != 200:
            raise RuntimeError(f"{path}: no answer within the request: {response.text[:300]}")

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


def served(
    server: Server, fields: dict[str, Any], samples: list[int], path: str = CERTIFY
) -> dict[str, float]:
    """Samples a second, processor seconds for each, and the share of lanes that held one."""
    before, worked = counted(server, fields["model"]), server.processor_seconds()
    seconds = asyncio.run(answers(server, path, fields, samples))
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
            told[str(workers)][str(jobs)] = served(server, fields, samples) | {"samples": samples}
    return told


@contextmanager
def running(fields: dict[str, Any]) -> Iterator[dict[int, Server]]:
    """A warm server for each number of workers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            workers: stack.enter_context(
                serving(folder / str(workers), fields["model"], workers, LONGEST_SECONDS)
            )
            for workers in WORKERS
        }
        for workers, server in servers.items():
            asked = split(workers * WARM_SAMPLES, workers)
            asyncio.run(answers(server, CERTIFY, fields, asked))
        yield servers


def measure(fields: dict[str, Any], seconds: float, rounds: int) -> dict[str, Any]:
    """All rounds, after a warm-up that is not counted, and the maps."""
    bare = bare_processes(max(WORKERS), *fields.values())
    with running(fields) as servers, bare as processes:
        together(processes, WARM_SECONDS)
        made = [once(servers, processes, fields, seconds) for _ in range(rounds)]
        of_maps = maps(servers, fields)
    usual = card(fields["model"]).defaults.samples
    run = {"seconds": seconds, "usual": usual, "load_average": round(os.getloadavg()[0], 2)}
    return {"provenance": provenance(), **fields, **run, "rounds": made, "maps": of_maps}


def maps(servers: dict[int, Server], fields: dict[str, Any]) -> dict[str, Any]:
    """The share of lanes that held a sample while eight SmoothGrad maps were made at once."""
    asked = fields | {"method": "smoothgrad"}
    fills = {
        str(workers): served(server, asked, list(MAPS), EXPLAIN)["fill"]
        for workers, server in servers.items()
    }
    return {"provenance": provenance(), "samples": MAPS, "fill": fills}


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
    parser.add_argument("--seconds", type=float, default=40.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--maps-only", action="store_true")
    parser.add_argument("--page-only", action="store_true")
    chosen = parser.parse_args()
    fields = {name: getattr(chosen, name) for name in FIELDS}
    if chosen.maps_only:
        record = json.loads(chosen.record.read_text())
        with running(fields) as servers:
            _write(chosen.record, record | {"maps": maps(servers, fields)})
    elif not chosen.page_only:
        _write(chosen.record, measure(fields, chosen.seconds, chosen.rounds))
    if chosen.record == RECORD:
        PAGE.write_text(page(json.loads(RECORD.read_text())))
        print(f"wrote {PAGE.relative_to(ROOT)}")


def _write(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
