"""The page docs/throughput-served.md, from the record of bench.served alone."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.provenance import ROOT

RECORD = ROOT / "docs" / "bench" / "served.json"
PAGE = ROOT / "docs" / "throughput-served.md"
GOAL = 0.90
LANES = 8  # of a batch, or a divisor of them
NAMES = {"bare": "network alone", "1": "one job", "8": "eight jobs at once"}

Record = Mapping[str, Any]
Round = Mapping[str, Any]


def spread(record: Record, of: Callable[[Round], float]) -> tuple[float, float, float]:
    """Median, least and largest over the rounds."""
    values = [of(each) for each in record["rounds"]]
    return statistics.median(values), min(values), max(values)


def ratio(record: Record, workers: str, jobs: str) -> tuple[float, float, float]:
    """The rate through the server over that of the bare network, of the same round."""
    return spread(record, lambda one: one[workers][jobs]["rate"] / one[workers]["bare"]["rate"])


def effort(record: Record, workers: str, jobs: str) -> tuple[float, float, float]:
    """Processor time of a bare picture over that of a sample through the server, all processes."""
    return spread(record, lambda one: one[workers]["bare"]["cpu"] / one[workers][jobs]["cpu"])


def scaling(record: Record, what: str) -> tuple[float, float, float]:
    """The rate on two over the rate on one, of the same round."""
    return spread(record, lambda one: one["2"][what]["rate"] / one["1"][what]["rate"])


def fill(record: Record, workers: str, jobs: str) -> float:
    """The least share of lanes with a sample in any round."""
    return spread(record, lambda one: one[workers][jobs]["fill"])[1]


def sizes(record: Record, jobs: str) -> tuple[int, int]:
    """Samples of the least and of the largest job."""
    found = [n for one in record["rounds"] for w in ("1", "2") for n in one[w][jobs]["samples"]]
    return min(found), max(found)


def alone(samples: Sequence[int]) -> float:
    """The share of lanes with a sample were no batch shared."""
    return sum(samples) / sum(-(-each // LANES) * LANES for each in samples)


def page(record: Record) -> str:
    """The document, from its numbers alone."""
    made, maps = record["provenance"], record["maps"]
    ratios = [ratio(record, workers, jobs)[0] for workers in ("1", "2") for jobs in ("1", "8")]
    reached = sum(each >= GOAL for each in ratios)
    fills = [fill(record, workers, "8") for workers in ("1", "2")]
    return TEXT.format(
        model=record["model"],
        attribution=record["attribution"],
        precision=record["precision"],
        rounds=len(record["rounds"]),
        seconds=record["seconds"],
        load=record["load_average"],
        cores=made["cores"],
        commit=made["commit"][:12],
        device=made["device"],
        torch=made["versions"]["torch"],
        goal=GOAL,
        reached=reached,
        of=len(ratios),
        least=min(ratios),
        fill=min(fills),
        maps=min(maps["fill"].values()),
        alone=alone(maps["samples"]),
        fewest=min(maps["samples"]),
        most=max(maps["samples"]),
        small="{} to {}".format(*sizes(record, "8")),
        usual=record["usual"],
        large="{} to {}".format(*sizes(record, "1")),
        maps_commit=maps["provenance"]["commit"][:12],
        rows="\n".join(_rows(record)),
        scaling="\n".join(_scaling(record)),
    )


def _rows(record: Record) -> list[str]:
    rows = []
    for workers in ("1", "2"):
        for what, name in NAMES.items():
            rate = spread(record, lambda one, w=workers, t=what: one[w][t]["rate"])[0]  # type: ignore[misc]
            cells = [workers, name, f"{rate:.1f}"]
            if what == "bare":
                cells += ["1", "1", ""]
            else:
                cells += [_told(ratio(record, workers, what)), _told(effort(record, workers, what))]
                cells.append(f"{fill(record, workers, what):.3f}")
            rows.append(f"| {' | '.join(cells)} |")
    return rows


def _scaling(record: Record) -> list[str]:
    return [f"| {name} | {_told(scaling(record, what))} |" for what, name in NAMES.items()]


def _told(found: tuple[float, float, float]) -> str:
    median, least, largest = found
    return f"{median:.2f} ({least:.2f} to {largest:.2f})"


TEXT = """# How fast the service is, beside its network

A certificate is thousands of passes through a network. What a service adds to them should vanish
beside them: HTTP, decoding, queue, noise, votes, merging, checkpoints and proofs. Here is what it
costs: `POST /v1/certify` to a real server, from request to answer, beside the network's own forward
and backward passes over one noisy batch made before, in processes like the workers.

`python -m bench.served` writes this page; the numbers are in
[bench/served.json](bench/served.json).

- Of {of} ratios to the bare network {reached} reach {goal:.2f}; the least is {least:.2f}.
- With eight jobs at once, the largest of three times the samples of the least and none of a
  multiple of the lanes, {fill:.3f} of the lanes held a sample in the round in which it was least.
  Requests share batches ([operating](operating.md#limits)).
- So do sums of scores: with eight SmoothGrad maps at once (`POST /v1/explain`), of {fewest} to
  {most} samples and each one more than fill its batches, {maps:.3f} of the lanes held a sample;
  were each computed alone, it would be {alone:.3f}. Commit {maps_commit}.

## Measured

{model}, {attribution} maps, {precision}; about {seconds:g} s for each row in each round, {rounds}
in all; the median over rounds, and in parentheses least and largest. {device}, {cores} cores, load
average {load} at the end, torch {torch}, commit {commit}. A job that comes alone is of {large}
samples, of eight at once each is of {small}; a request that names no number asks for {usual}. A
ratio is of rates in one round. The effort is processor time for a picture of the bare network over
that for a sample of the service, all its processes together, which a busy machine changes little.

| workers | what | samples/s | rate over network's | effort, network's over ours | least fill |
| --: | --- | --: | --: | --: | --: |
{rows}

Two workers, or bare processes, over one:

| what | rate on two over rate on one |
| --- | --: |
{scaling}

With two workers on two cores the api process has no core of its own: what it does is taken from the
workers. The bare network has both cores to itself.
"""
