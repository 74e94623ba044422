"""The page docs/scale.md, from scale.json alone."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from certify.evidence import VOTES_FEATURES
from certify.reading import LARGEST_BYTES

Size = dict[str, Any]
STEPS = {
    "idle": "nothing: interpreter and libraries",
    "gather": "all parts into one, as they come",
    "one_by_one": "the same, each merged with all before it",
    "kept": "all parts saved as a job saves them",
    "recounted": "checked by brute force",
    "digest": "SHA-256 of the evidence",
    "certify_anytime": "certificate, anytime bounds",
    "certify_fixed": "certificate, fixed bounds",
    "document": "document from the certificate",
    "verified": "verifying the document",
}
LIMIT_MIB, PROMISED_SECONDS = 1024, 10.0


def page(record: dict[str, Any]) -> str:
    """The document, from its numbers alone."""
    counted, voted = record["sizes"]
    return TEXT.format(
        samples=_grouped(record["samples"]),
        fewer=_grouped(voted["features"]),
        limit=_grouped(VOTES_FEATURES),
        readable=_mega(LARGEST_BYTES),
        parts=_grouped(-(-record["samples"] // 64)),
        gather=_quarters(voted["steps"]["gather"]),
        slow=_quarters(voted["steps"]["one_by_one"]),
        radii=_radii(voted),
        table="\n".join(_row(name, record["sizes"]) for name in STEPS),
        profile="\n".join(_part(name, record["sizes"]) for name in _part_names(voted)),
        block=counted["steps"]["recounted"]["samples"],
        checked=voted["steps"]["recounted"]["pairs"],
        load=record["load"],
        commit=record["commit"][:12],
        device=record["device"],
        **_without(record["samples"], counted, voted),
        **_measured(counted),
        **{f"voted_{name}": said for name, said in _measured(voted).items()},
    )


def _measured(size: Size) -> dict[str, Any]:
    """What the page says of one number of features."""
    steps = size["steps"]
    return {
        "features": _grouped(size["features"]),
        "side": round(size["features"] ** 0.5),
        "evidence": _mega(steps["gather"]["bytes"]),
        "peak": most(size),
        "seconds": steps["certify_anytime"]["seconds"],
        "verify": steps["verified"]["seconds"],
        "document": _mega(steps["document"]["bytes"]),
        "rows": _grouped(steps["kept"]["rows"]),
        "saved": _mega(steps["kept"]["bytes"]),
    }


def _without(samples: int, counted: Size, voted: Size) -> dict[str, Any]:
    """What single votes of so many features would come to, at the pace measured of fewer."""
    packed = samples * -(-counted["features"] // 8)
    pairs, measured = (_pairs(size["features"]) for size in (counted, voted))
    counting = voted["steps"]["profile"]["parts"]["pairs counted"] * pairs / measured
    return {
        "packed": _mega(packed),
        "encoded": _mega(packed * 4 / 3),
        "pairs": pairs // 10**6,
        "pairs_bytes": round(pairs * 16 / 1e9, 1),
        "minutes": round(counting / 60),
        "repeated": _mega(-(-samples // 64) * counted["features"] * 8),
    }


def most(size: Size) -> int:
    """The most memory that any step held, MiB."""
    return int(max(step["peak_mib"] for step in size["steps"].values()))


def _pairs(features: int) -> int:
    """Pairs of a reported feature, a quarter of all, and another."""
    return features // 4 * (features - features // 4)


def _grouped(number: int) -> str:
    """As the project writes numbers: 4096, but 50 176."""
    return f"{number:,}".replace(",", " ") if number >= 10_000 else str(number)


def _mega(size: float) -> str:
    return f"{size / 1e6:.1f} MB" if size < 1e7 else f"{size / 1e6:.0f} MB"


def _quarters(step: Mapping[str, Any]) -> str:
    ends = [0.0, *step["after_quarters"]]
    spent = [round(b - a, 2) for a, b in pairwise(ends)]
    return ", ".join(map(str, spent))


def _radii(size: Size) -> str:
    routes = size["steps"]["document"]["radii_of_half"]
    told = sorted(routes.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {radius:.4f}" for name, radius in told)


def _row(name: str, sizes: list[Size]) -> str:
    cells = []
    for size in sizes:
        step = size["steps"][name]
        cells += [f"{step['seconds']:.2f}" if "seconds" in step else "", str(step["peak_mib"])]
    return f"| {STEPS[name]} | {' | '.join(cells)} |"


def _part_names(size: Size) -> list[str]:
    return list(size["steps"]["profile"]["parts"])


def _part(name: str, sizes: list[Size]) -> str:
    found = (size["steps"]["profile"]["parts"].get(name) for size in sizes)
    cells = ("" if seconds is None else f"{seconds:.2f}" for seconds in found)
    return f"| {name} | {' | '.join(cells)} |"


TEXT = """# Evidence at scale

What {samples} samples cost, from the first part to the verified document: of {features} features,
every pixel of a {side}×{side} picture, and of {fewer}, the most of which single votes are kept. The
votes are made up, a quarter of the features each, correlated as neighbours' votes are, at fixed
addresses. `python -m bench.scale` measures and writes this page; the numbers are in
[bench/scale.json](bench/scale.json) (commit {commit}, {device}). Seconds are CPU seconds of one
core, on a machine where {load} others wanted the processor on average.

## In plain words

- {samples} samples of {features} features are {evidence} of evidence. No step, interpreter and
  libraries included, ever holds more than {peak} MiB; the certificate takes {seconds:.1f} s, its
  document has {document}, and verifying that takes {verify:.1f} s.
- With single votes, of {fewer} features, it is {voted_evidence} of evidence, at most {voted_peak}
  MiB, {voted_seconds:.1f} s, and a document of {voted_document}.
- Gathering parts costs about the same in every quarter of the samples, of {fewer} features
  {gather} s. Merging each part with all before it, as was done before, costs
  {slow} s: with the square of the samples.
- A job that is saved {parts} times keeps {saved} in {rows} part of the store, of {fewer} features
  {voted_saved} in {voted_rows} parts. Counts alone would be {repeated} if every save repeated
  them: a part grows until what it says of single samples outweighs its counts.

## Why single votes are kept of {limit} features at most

Single votes serve one purpose: the pairwise route counts who is voted for with whom. Of {features}
features they would be {packed}, packed, which fits into memory. It is what follows that does not
fit:

- **The document.** Whoever verifies must count the pairs again, so the votes must be in it:
  {encoded} of base64, where a reader takes {readable} at most.
- **The pairs.** With a quarter reported there are {pairs} million of them, {pairs_bytes} GB of
  counts. By bit operations, at the pace measured here, counting them takes {minutes} minutes of one
  core, and everyone who verifies pays that again.

So above {limit} features the counts carry the certificate, and the pairs' share of the failure
probability goes to the features. What is given up can be read from {fewer} features: half of the
reported stay within these radii, by route: {radii}.
The limit is part of the document's format (`votes` is null above it), so it is the same for
everyone. Pairs near the cut alone are fewer, and would do for claims that little leaves the top k;
they could be counted while sampling and be stated as counts are. That is another version of the
document, and not done.

## Steps

| step | {features}: s | MiB | {fewer}: s | MiB |
| --- | --: | --: | --: | --: |
{table}

Where single votes are not kept, the second and third row differ by the processor's cache alone: the
third merges one part again and again. The brute force sorts the {block} samples of a block in full
and counts {checked} pairs vote by vote; it found what the evidence says.

## What a certificate is made of

Seconds of anytime bounds, by route:

| part | {features} | {fewer} |
| --- | --: | --: |
{profile}
"""
