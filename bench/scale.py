"""What evidence costs at scale: seconds and memory of every step, from merging to verifying.

    python -m bench.scale              100 000 samples, 50 176 and 4 096 features: half an hour
    python -m bench.scale --page       only write the page again, from the JSON

Votes are made at fixed addresses (`bench.synthetic`). Each step is a process of its own: seconds
are its CPU seconds without making or loading what it works on, memory is the most that it ever held
(ru_maxrss), interpreter and libraries included. Writes docs/bench/scale.json and docs/scale.md.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.scale_page import page
from bench.synthetic import Voters
from certify import pairwise, per_feature, renyi, simplex
from certify.certificate import budget_of, certify, feature_bounds
from certify.claims import boundary
from certify.document import Asked, Subject, compose, dumps
from certify.evidence import Evidence
from certify.gathering import Gathering
from certify.plan import Question
from certify.verify import verify

ROOT = Path(__file__).parents[1]
NUMBERS, PAGE = ROOT / "docs" / "bench" / "scale.json", ROOT / "docs" / "scale.md"
SAMPLES, SIDES = 100_000, (224, 64)
# Samples of a part, as a worker sends them.
PART = 64
BLOCK, FEW_FEATURES = 32, 12
HOLDER = "1" * 32
Done = dict[str, Any]


class Clock:
    """CPU seconds of named steps of this process, added up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str = "seconds") -> Iterator[None]:
        """What is done meanwhile counts."""
        began = time.process_time()
        yield
        spent = time.process_time() - began
        self.seconds[name] = self.seconds.get(name, 0.0) + spent

    def rounded(self) -> dict[str, float]:
        """Milliseconds are below what is meant."""
        return {name: round(seconds, 3) for name, seconds in self.seconds.items()}


def idle(voters: Voters, samples: int, folder: Path) -> Done:
    """Nothing: what the interpreter and its libraries hold."""
    return {}


def gather(voters: Voters, samples: int, folder: Path) -> Done:
    """Parts as they come, into one; seconds after each quarter."""
    clock, after = Clock(), []
    gathering = Gathering(Evidence.empty(voters.features))
    for start in range(0, samples, PART):
        stop = min(start + PART, samples)
        part = Evidence.from_votes(
            start, voters.votes(start, stop), voters.predictions(start, stop)
        )
        with clock():
            gathering.add(part)
        if 4 * stop // samples > 4 * start // samples:
            after.append(round(clock.seconds["seconds"], 3))
    with clock():
        whole = gathering.whole()
    votes = np.zeros(0) if whole.votes is None else whole.votes
    np.savez(folder / "evidence.npz", c=whole.counts, p=whole.predictions, v=votes)
    return {**clock.rounded(), "after_quarters": after, "bytes": _bytes(whole)}


def one_by_one(voters: Voters, samples: int, folder: Path) -> Done:
    """The same parts, each merged with all before it: what gathering replaced."""
    clock, after, evidence = Clock(), [], Evidence.empty(voters.features)
    for start, part in _parts(voters, samples, folder):
        with clock():
            evidence = evidence.merge(part)
        if 4 * (start + part.samples) // samples > 4 * start // samples:
            after.append(round(clock.seconds["seconds"], 3))
    return {**clock.rounded(), "after_quarters": after}


def kept(voters: Voters, samples: int, folder: Path) -> Done:
    """The same parts as a job saves them, one at a time, and read back as after a crash."""
    from service.jobs import record as records
    from service.jobs.work import Work
    from service.store import jobs

    clock = Clock()

    async def save_all() -> tuple[bytes, ...]:
        store, running, plan = await _job(folder, voters)
        work, gathering = (
            Work(store, None, _settings(), None, HOLDER),
            Gathering(  # type: ignore[arg-type]
                Evidence.empty(voters.features)
            ),
        )
        for _, part in _parts(voters, samples, folder):
            gathering.add(part)
            await running.notes().keep(plan, part, gathering)
            with clock("seconds"):
                await work.save(running)
        with clock("reading"):
            loaded = await store.do(jobs.load, running.id)
            records.unpack(loaded.parts)
        store.stop()
        return loaded.parts

    parts = asyncio.run(save_all())
    return {**clock.rounded(), "rows": len(parts), "bytes": sum(map(len, parts))}


def digest(voters: Voters, samples: int, folder: Path) -> Done:
    """SHA-256 of the evidence."""
    return _timed(_evidence(voters, samples, folder).digest)


def certify_anytime(voters: Voters, samples: int, folder: Path) -> Done:
    """The certificate, with bounds that hold at every number of samples."""
    evidence, question = _evidence(voters, samples, folder), _question(voters, samples)
    return _timed(lambda: certify(voters.plan, evidence, question))


def certify_fixed(voters: Voters, samples: int, folder: Path) -> Done:
    """The certificate, with bounds at this number of samples."""
    evidence = _evidence(voters, samples, folder)
    question = _question(voters, samples, "fixed")
    return _timed(lambda: certify(voters.plan, evidence, question))


def profile(voters: Voters, samples: int, folder: Path) -> Done:
    """The parts of certify_anytime."""
    clock, plan = Clock(), voters.plan
    evidence, question = _evidence(voters, samples, folder), _question(voters, samples)
    law, norm = plan.recipe.noise, question.ball(plan)
    with clock("table"):
        budget = budget_of(plan, question, samples)
    with clock("bounds"):
        both = feature_bounds(plan, evidence.counts, None, budget)
    cut = boundary(evidence.counts, both, question.k)
    with clock("per feature"):
        per_feature.radii(cut, law, norm)
    with clock("simplex"):
        simplex.radii(cut, plan.weight, law)
    with clock("Rényi"):
        renyi.radii(cut, plan.weight, law, norm)
    if evidence.votes is not None:
        with clock("pairs counted"):
            pairs = pairwise.count(evidence, cut.reported)
        with clock("pairwise"):
            pairwise.radii(pairs, plan.features, budget, law, norm)
    with clock("labels"):
        per_feature.label_radii(both.lower.tolist(), both.upper.tolist(), law, norm)
    return {"parts": clock.rounded(), "different_counts": len(np.unique(evidence.counts))}


def document(voters: Voters, samples: int, folder: Path) -> Done:
    """The document's bytes, from a certificate that is there."""
    evidence, question = _evidence(voters, samples, folder), _question(voters, samples)
    certificate = certify(voters.plan, evidence, question)
    subject = Subject("0" * 64, "none", "synthetic", "request")
    made: dict[str, Any] = dict(subject=subject, asked=Asked(0.5, 0.05), software={})
    made |= dict(issued="2026-01-01T00:00:00+00:00", identifier="urn:uuid:0")
    clock = Clock()
    with clock():
        data = dumps(compose(voters.plan, question, evidence, certificate, **made))
    (folder / "document.json").write_bytes(data)
    half = certificate.curve[certificate.k // 2].routes
    return {**clock.rounded(), "bytes": len(data), "radii_of_half": dict(half)}


def verified(voters: Voters, samples: int, folder: Path) -> Done:
    """Every check of the document. RuntimeError if one fails."""
    data = (folder / "document.json").read_bytes()
    clock = Clock()
    with clock():
        report = verify(data)
    if not report.holds:
        raise RuntimeError(f"the document does not hold: {report.checks}")
    return clock.rounded()


def recounted(voters: Voters, samples: int, folder: Path) -> Done:
    """Votes of a block by full sorting, and pairs of a few features vote by vote.

    RuntimeError if the evidence says anything else.
    """
    evidence, start = _evidence(voters, samples, folder), samples // 3 // PART * PART
    slow, plan = np.zeros((BLOCK, voters.features), dtype=bool), voters.plan
    for row, sample in enumerate(range(start, start + BLOCK)):
        ((*keys,),) = voters.keys(range(cast := voters.row_of(sample), cast + 1)).tolist()
        order = sorted(range(voters.features), key=keys.__getitem__, reverse=True)
        slow[row, order[: plan.recipe.votes]] = True
    block = Evidence.from_votes(start, slow, voters.predictions(start, start + BLOCK))
    _same("counts", block.counts, voters.votes(start, start + BLOCK).sum(axis=0))
    _same("sum", evidence.counts.sum(), samples * plan.recipe.votes)
    if evidence.votes is None:
        return {"samples": BLOCK, "pairs": 0}
    _same("rows", block.votes, evidence.votes[start : start + BLOCK])
    few = np.argsort(-evidence.counts, kind="stable")[:: voters.features // FEW_FEATURES]
    few = np.sort(few[:FEW_FEATURES])
    columns = np.concatenate([rows[:, few] for rows in evidence.rows()]).astype(bool)
    chosen = Evidence.from_votes(0, columns, evidence.predictions)
    half = tuple(range(FEW_FEATURES // 2))
    found = pairwise.count(chosen, half)
    for i in half:
        for place, j in enumerate(range(len(half), FEW_FEATURES)):
            alone = int(np.count_nonzero(columns[:, i] & ~columns[:, j]))
            _same("pair", found.inside_only[i, place], alone)
    return {"samples": BLOCK, "pairs": len(half) * (FEW_FEATURES - len(half))}


STEPS: Mapping[str, Callable[[Voters, int, Path], Done]] = {
    step.__name__: step
    for step in (
        *(idle, gather, one_by_one, kept, recounted, digest),
        *(certify_anytime, certify_fixed, profile, document, verified),
    )
}


def main() -> None:
    """Run every step in a process of its own, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--numbers", type=Path, default=NUMBERS)
    parser.add_argument("--page", action="store_true", help="only write the page again")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        told = STEPS[chosen.step](Voters(chosen.sides[0]), chosen.samples, chosen.folder)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**told, "peak_mib": round(most)}))
        return
    if not chosen.page:
        sizes = [size(side, chosen.samples) for side in chosen.sides]
        # Loads torch, which would be counted as theirs.
        from bench.provenance import provenance

        load = round(os.getloadavg()[0], 1)
        record = {**provenance(), "samples": chosen.samples, "load": load, "sizes": sizes}
        chosen.numbers.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    if chosen.numbers == NUMBERS:
        PAGE.write_text(page(json.loads(NUMBERS.read_text())))


def size(side: int, samples: int) -> Done:
    """Every step with so many features, one after the other."""
    steps = {}
    with tempfile.TemporaryDirectory() as folder:
        for step in STEPS:
            asked = ["--step", step, "--sides", str(side), "--samples", str(samples)]
            line = [sys.executable, "-m", "bench.scale", *asked, "--folder", folder]
            done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
            steps[step] = json.loads(done.stdout.splitlines()[-1])
            print(side**2, step, steps[step], flush=True)
    return {"features": side**2, "steps": steps}


def _timed(work: Callable[[], object]) -> Done:
    clock = Clock()
    with clock():
        work()
    return clock.rounded()


def _evidence(voters: Voters, samples: int, folder: Path) -> Evidence:
    with np.load(folder / "evidence.npz") as made:
        votes = made["v"] if made["v"].size else None
        return Evidence(((0, samples),), voters.features, votes, made["c"], made["p"])


def _parts(voters: Voters, samples: int, folder: Path) -> Iterator[tuple[int, Evidence]]:
    """The parts of the evidence. Of counts alone every part is the first, moved: a size is wanted,
    and it is the same."""
    whole = _evidence(voters, samples, folder)
    first = Evidence.from_votes(0, voters.votes(0, PART), voters.predictions(0, PART))
    for start in range(0, samples, PART):
        stop = min(start + PART, samples)
        votes = None if whole.votes is None else whole.votes[start:stop]
        counts, predictions = first.counts, whole.predictions[start:stop]
        yield start, Evidence(((start, stop),), voters.features, votes, counts, predictions)


def _question(voters: Voters, samples: int, confidence: str = "anytime") -> Question:
    return Question(voters.plan.recipe.votes, samples, 0.001, confidence, "2")


async def _job(folder: Path, voters: Voters) -> tuple[Any, Any, Any]:
    """A store with one job, which is held; the job at work, and a plan."""
    from service import pipeline
    from service.jobs import record as records
    from service.jobs.running import Running
    from service.orders import certify_order
    from service.store import jobs
    from service.store.store import Store

    order = certify_order({"model": "digits-tiny", "samples": 200}, False, _settings())
    side = order.card.size
    subject = pipeline.Subject(np.zeros((side, side, 3), np.uint8), "0" * 64, "0" * 64)
    record, store = records.accepted(order, subject, "", None), Store(None, folder)
    store.start()
    await store.do(jobs.accept, records.write(record), 1.0)
    await store.do(jobs.take, record.id, HOLDER, 1.0, 1e12)
    return store, Running(record, kept=True), voters.plan


def _settings() -> Any:
    from service.settings import Settings

    return Settings()


def _bytes(evidence: Evidence) -> int:
    arrays = (evidence.counts, evidence.predictions, evidence.votes)
    return sum(array.nbytes for array in arrays if array is not None)


def _same(what: str, one: object, other: object) -> None:
    if not np.array_equal(np.asarray(one), np.asarray(other)):
        raise RuntimeError(f"{what}: {one} is not {other}")


if __name__ == "__main__":
    main()
