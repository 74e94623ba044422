"""docs/throughput.md, from its numbers alone; parts that were not measured are left out."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from bench.throughput_rates import Race, Ratio

AIMS = (
    ("(b) of (a), gradient", 0.95),
    ("(b) of (a), Grad-CAM", 0.95),
    ("(b) of (d), each at its best", 2.3),
    ("(b) in bfloat16 of (d), each at its best", 4.5),
)
LEVERS = {
    "shipped": "as its package ships it",
    "channels-last": "channels-last",
    "folded": "batch norms folded",
    "layers": "folded and channels-last",
    "turned": "… input gradients by turned kernels",
    "compiled": "… as one compiled graph",
    "compiled, turned": "… as one compiled graph, turned kernels",
    "steps": "… in steps of oneDNN",
    "bare gradient": "folded, as native code: what we run",
    "8 lanes": "… 8 lanes",
    "16 lanes": "… 16 lanes",
    "32 lanes": "… 32 lanes",
    "bfloat16": "… in bfloat16",
    "bfloat16, 16 lanes": "… in bfloat16, 16 lanes",
    "bfloat16 steps": "… in bfloat16, in steps of oneDNN",
    "float16": "… in float16",
}
ARMS = {
    "bare gradient": "(a) the bare pass, gradient",
    "draw gradient": "(b) `Sampler.draw`, gradient",
    "draw gradient bfloat16": "(b) … in bfloat16",
    "draw gradient, 16 lanes": "(b) … in 16 lanes",
    "draw gradient, 32 lanes": "(b) … in 32 lanes",
    "draw gradient bfloat16, 16 lanes": "(b) … in bfloat16, 16 lanes",
    "draw gradient bfloat16, 32 lanes": "(b) … in bfloat16, 32 lanes",
    "convolutions": "(f) oneDNN's convolutions of a gradient alone",
    "convolutions bfloat16": "(f) … in bfloat16",
    "bare grad_cam": "(a) the bare pass, Grad-CAM",
    "draw grad_cam": "(b) `Sampler.draw`, Grad-CAM",
    "draw grad_cam bfloat16": "(b) … in bfloat16",
    "captum 1": "(d) Captum, one picture in a pass",
    "captum 8": "(d) Captum, 8 in a pass",
    "captum 16": "(d) Captum, 16 in a pass",
    "captum 32": "(d) Captum, 32 in a pass",
    "captum all": "(d) Captum's default: all 64 in a pass",
    "loop": "(e) a plain loop",
}


def page(record: Mapping[str, Any], elsewhere: Sequence[Mapping[str, Any]]) -> str:
    """The document. elsewhere: records of processors with other instructions."""
    races = [Race(each) for each in record["networks"]]
    return TEXT.format(
        device=f"{record['device']} ({record['instructions']})",
        torch=record["versions"]["torch"],
        goals="\n".join(goals([record, *elsewhere])),
        elsewhere=_elsewhere(elsewhere),
        bound=bound(races[0]),
        arms="\n\n".join(_arms(race) for race in races),
        levers=_levers(races, record["compiled"]),
        near=_near(record),
        allocator=_allocator(races[0], record["default_allocator"]),
        memory=_memory(record["memory"]),
    )


def goals(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was aimed at on two cores, and what processors give, the first one here."""
    races = [Race(record["networks"][0]) for record in records]
    titles = [record["instructions"] for record in records]
    titles[0] += ", here"
    lines = [f"| {races[0].record['name']} | goal | {' | '.join(titles)} |"]
    lines.append("| --- | --: |" + " --: |" * len(records))
    for (what, goal), *found in zip(AIMS, *(_reached(race) for race in races), strict=True):
        cells = [f"{ratio}, {verdict(ratio, goal)}" for ratio in found]
        lines.append(f"| {what} | {goal:g} | {' | '.join(cells)} |")
    return lines


def _reached(race: Race) -> list[Ratio]:
    """What there is of each of the `AIMS`."""
    captum = race.best_captum
    whole, short = (race.best(*_any_lanes(base)) for base in ("gradient", "gradient bfloat16"))
    return [
        race.ratio("draw gradient", "bare gradient"),
        race.ratio("draw grad_cam", "bare grad_cam"),
        race.ratio(whole, captum),
        race.ratio(short, captum),
    ]


def _elsewhere(records: Sequence[Mapping[str, Any]]) -> str:
    """Which processors the other columns are of."""
    if not records:
        return "No other kind of processor was measured."
    said = [
        f"{each['instructions']}: {each['device']}, commit {each['commit'][:12]}."
        for each in records
    ]
    return textwrap.fill(" ".join(["The other columns:", *said]), 100)


def _any_lanes(base: str) -> list[str]:
    return [f"draw {base}{lanes}" for lanes in ("", ", 8 lanes", ", 16 lanes", ", 32 lanes")]


def verdict(found: Ratio, goal: float) -> str:
    """In words, to two decimals as shown."""
    if round(found.middle, 2) >= goal:
        return "met"
    return "met in some rounds" if round(found.most, 2) >= goal else "not met"


def bound(race: Race) -> str:
    """What the goals against Captum were set on, and what there is here."""
    here = "such as this one" if race.record.get("matrices") else "which this one has not"
    says = (
        "Goals (b) against (d) were set on a processor with instructions for matrices of bfloat16 "
        f"(AMX), {here}. "
    )
    if race.has("convolutions"):
        alone = race.ratio("convolutions", race.best_captum)
        says += f"Here oneDNN's convolutions alone, (f), run at {alone} times (d) in float32"
    if race.has("convolutions bfloat16"):
        says += f" and {race.ratio('convolutions bfloat16', race.best_captum)} times in bfloat16."
    else:
        says += ". This processor has no instructions for bfloat16, which is slower here."
    return textwrap.fill(says, width=100)


def _arms(race: Race) -> str:
    record, captum = race.record, race.best_captum
    random = ", random weights" if record["name"] in ("small-32", "resnet50") else ""
    title = f"{record['name']}, {record['size']} pixels, {record['lanes']} lanes{random}"
    lines = [f"### {title}", "", "| | samples/s | of (a) | times (d) at its best |"]
    lines.append("| --- | --: | --: | --: |")
    for name, says in ARMS.items():
        if race.has(name):
            base = "bare grad_cam" if "grad_cam" in name else "bare gradient"
            own, other = race.ratio(name, base), race.ratio(name, captum)
            lines.append(f"| {says} | {race.rate(name):.1f} | {own} | {other} |")
    return "\n".join(lines)


def _levers(races: Sequence[Race], graph: Mapping[str, Any] | None) -> str:
    compiled = Race(graph) if graph else None
    names = [race.record["name"] for race in races]
    lines = [f"| | {' | '.join(names)} |", "| --- |" + " --: |" * len(names)]
    for name, says in LEVERS.items():
        cells = [_lever(race, name) for race in races]
        if compiled and compiled.has(name) and not races[0].has(name):
            # Relative to the bare pass of its own run.
            times = compiled.ratio(name, "bare gradient").middle
            cells[0] = f"{times * races[0].rate('bare gradient'):.1f}, {times:.2f}"
        if any(cells):
            lines.append(f"| {says} | {' | '.join(cells)} |")
    return "\n".join(lines) + _compiling(compiled)


def _lever(race: Race, name: str) -> str:
    if not race.has(name):
        return ""
    return f"{race.rate(name):.1f}, {race.ratio(name, 'bare gradient').middle:.2f}"


def _compiling(compiled: Race | None) -> str:
    if compiled is None or not compiled.has("compiled"):
        return ""
    arms = compiled.record["arms"]
    seconds = [arm["setup"] for arm in arms if arm["name"].startswith("compiled")]
    return f"\n\nCompiling took {min(seconds):.0f} to {max(seconds):.0f} s of the processor."


def _near(record: Mapping[str, Any]) -> str:
    lines = ["| network | | samples | cosine | equal votes | same bits |"]
    lines.append("| --- | --- | --: | --: | --: | --- |")
    graphs = [record["compiled"]] if record["compiled"] else []
    for network in [*record["networks"], *graphs]:
        for row in (*network["agreement"], *network["precisions"]):
            bits = "yes" if row["same_bits"] else "no"
            lines.append(
                f"| {network['name']} | {row['arm']} | {row['samples']} | {row['cosine']:.5f} "
                f"| {100 * row['equal_votes']:.1f} % | {bits} |"
            )
    return "\n".join(lines)


def _allocator(tuned: Race, record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "Not measured."
    plain = Race(record)
    lines = ["| | as it comes | told to keep memory |", "| --- | --: | --: |"]
    for name, says in ARMS.items():
        if plain.has(name) and tuned.has(name):
            lines.append(f"| {says} | {plain.rate(name):.1f} | {tuned.rate(name):.1f} |")
    return "\n".join(lines)


def _memory(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| network | way | samples | before, MiB | peak, MiB |"]
    lines.append("| --- | --- | --: | --: | --: |")
    for row in rows:
        batch = row["batch"] or "all"
        way = "(b) `Sampler.draw`" if row["way"] == "draw" else f"(d) Captum, {batch} in a pass"
        held = f"{row['before_mib']} | {row['peak_mib']}"
        lines.append(f"| {row['name']} | {way} | {row['samples']} | {held} |")
    return "\n".join(lines)


TEXT = """# How near sampling comes to the bare network

A certificate is thousands of passes through a network; everything else should vanish beside them.
This page measures what it costs, against the network alone and against what others do.
`python -m bench.throughput` writes it; numbers, with their commit, are in
[bench/throughput.json](bench/throughput.json). {device}, torch {torch}, one thread.

Rates are samples for each second of the processor's time, which others on the machine cannot
lengthen (they can make it colder: hence rounds, and ratios within a round). Each network is
measured in a process of its own, its rows in turns, (a) and (b) several in each round; medians, in
brackets the least and the most of the rounds.

- **(a) the bare pass:** the network as we run it (float32, batch norms folded, as native code,
  allocator told to keep memory) on pictures whose noise was made before; gradients, or Grad-CAM
  from its one forward pass.
- **(b) ours:** `Sampler.draw` with everything: addressed noise, maps, cells, votes, predictions,
  evidence.
- **(c) through the server:** on [a page of its own](throughput-served.md).
- **(d) Captum 0.9:** `NoiseTunnel(Saliency)` on the network as its package ships it, at several
  numbers of pictures in a pass; its default is all samples in one.
- **(e) a plain loop,** as in the code that the authors of SmoothGrad released: one noisy picture
  after another.
- **(f) oneDNN's convolutions alone,** of a gradient in the card's lanes, on the tensors they had.

## Goals

{goals}

{elsewhere}

{bound}

{arms}

## Levers

One thing changed at a time: samples/s of gradients of pictures made beforehand, and the ratio to
what we run.

{levers}

Taken: folding, channels-last, the allocator, turned kernels, zeros at borders within the
convolution, convolution and kink at once, a few pictures at a time: all as machine code of our own
([why and how](decisions.md#networks-and-pictures)), which a picture of its own checks at every load
against the layers. In bfloat16 it multiplies matrices by the processor's own instructions; where
the processor has others for bfloat16 but none for matrices, steps of oneDNN run. Lanes and low
precision are options of a request. Compiled graphs need a C++ compiler and minutes.

How near each comes to what we run: cosine of the cells' scores, share of the votes that are the
same, and whether every bit is. The last rows are the declared precisions.

{near}

## Allocator

What a network takes for a batch it gives back after it, and by default the C library returns it to
the system each time.

{allocator}

## Memory

Largest size of a fresh process, and what it was after loading and one sample. Ours is that of a few
batches, however many follow, plus what the allocator keeps between them; so it is with Captum's
fixed batch, while its default grows with the samples.

{memory}
"""
