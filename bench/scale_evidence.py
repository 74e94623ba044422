"""Steps of bench.scale that make evidence and keep it: merging, saving, digesting, recounting.

Each takes voters, a number of samples and the folder that the steps share, and returns what goes
into the record. `gather` comes first: the others read what it left in the folder.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.clock import Clock, timed
from bench.synthetic import Voters
from certify import pairwise
from certify.evidence import Evidence
from certify.gathering import Gathering

# Samples of a part, as a worker sends them.
PART = 64
BLOCK, FEW_FEATURES = 32, 12
HOLDER = "1" * 32
Done = dict[str, Any]


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
        work = Work(store, None, _settings(), None, HOLDER)  # type: ignore[arg-type]
        gathering = Gathering(Evidence.empty(voters.features))
        for _, part in _parts(voters, samples, folder):
            gathering.add(part)
            await running.notes().keep(plan, part, gathering)
            with clock("seconds"):
                await work.save(running)
        with clock("reading"):
            loaded = await store.do(jobs.load, running.id)
            records.unpack(loaded.parts)
        store.stop()
        saved: tuple[bytes, ...] = loaded.parts
        return saved

    parts = asyncio.run(save_all())
    return {**clock.rounded(), "rows": len(parts), "bytes": sum(map(len, parts))}


def recounted(voters: Voters, samples: int, folder: Path) -> Done:
    """Votes of a block by full sorting, and pairs of a few features vote by vote.

    RuntimeError if the evidence says anything else.
    """
    evidence, start = evidence_of(voters, samples, folder), samples // 3 // PART * PART
    block = _sorted_in_full(voters, start)
    _same("counts", block.counts, voters.votes(start, start + BLOCK).sum(axis=0))
    _same("sum", evidence.counts.sum(), samples * voters.plan.recipe.votes)
    if evidence.votes is None:
        return {"samples": BLOCK, "pairs": 0}
    _same("rows", block.votes, evidence.votes[start : start + BLOCK])
    return {"samples": BLOCK, "pairs": _pairs_one_by_one(evidence)}


def _sorted_in_full(voters: Voters, start: int) -> Evidence:
    """The votes of BLOCK samples, each sample's features sorted by their keys."""
    votes = np.zeros((BLOCK, voters.features), dtype=bool)
    for row, sample in enumerate(range(start, start + BLOCK)):
        cast = voters.row_of(sample)
        keys = voters.keys(range(cast, cast + 1))[0].tolist()
        order = sorted(range(voters.features), key=keys.__getitem__, reverse=True)
        votes[row, order[: voters.plan.recipe.votes]] = True
    return Evidence.from_votes(start, votes, voters.predictions(start, start + BLOCK))


def _pairs_one_by_one(evidence: Evidence) -> int:
    """How many pairs of a few features were counted vote by vote, all as `pairwise.count` does."""
    few = np.argsort(-evidence.counts, kind="stable")[:: evidence.features // FEW_FEATURES]
    few = np.sort(few[:FEW_FEATURES])
    columns = np.concatenate([rows[:, few] for rows in evidence.rows()]).astype(bool)
    half = tuple(range(FEW_FEATURES // 2))
    found = pairwise.count(Evidence.from_votes(0, columns, evidence.predictions), half)
    if found is None:
        raise RuntimeError("single votes are there, and no pairs were counted")
    for i in half:
        for place, j in enumerate(range(len(half), FEW_FEATURES)):
            alone = int(np.count_nonzero(columns[:, i] & ~columns[:, j]))
            _same("pair", found.inside_only[i, place], alone)
    return len(half) * (FEW_FEATURES - len(half))


def digest(voters: Voters, samples: int, folder: Path) -> Done:
    """SHA-256 of the evidence."""
    return timed(evidence_of(voters, samples, folder).digest)


def evidence_of(voters: Voters, samples: int, folder: Path) -> Evidence:
    """What `gather` left in the folder."""
    with np.load(folder / "evidence.npz") as made:
        votes = made["v"] if made["v"].size else None
        return Evidence(((0, samples),), voters.features, votes, made["c"], made["p"])


def _parts(voters: Voters, samples: int, folder: Path) -> Iterator[tuple[int, Evidence]]:
    """The parts of the evidence. Of counts alone every part is the first, moved: a size is wanted,
    and it is the same."""
    whole = evidence_of(voters, samples, folder)
    first = Evidence.from_votes(0, voters.votes(0, PART), voters.predictions(0, PART))
    for start in range(0, samples, PART):
        stop = min(start + PART, samples)
        votes = None if whole.votes is None else whole.votes[start:stop]
        counts, predictions = first.counts, whole.predictions[start:stop]
        yield start, Evidence(((start, stop),), voters.features, votes, counts, predictions)


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
