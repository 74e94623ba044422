"""The tables of docs/training.md, from training-*.json alone.

    python -m bench.training_page docs/bench/training-*.json

One table of arms for each experiment, and one of claims: each arm against its control, paired by
seed, for that pair shares its first weights, its order of pictures and its test pictures.
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from models.examination.report import numbers

Record = Mapping[str, Any]
CLEAN, PGD = "clean accuracy", "accuracy after PGD"
IG_TOP, IG_ORDER = (f"integrated_gradients, top_k: {name}" for name in ("top_k", "kendall"))
OVERLAP, COST = "certified overlap at 0.1", "seconds to train"
EIGHTH, QUARTER = "accuracy after PGD at 0.125", "accuracy after PGD at 0.25"
# What bench.training_deeper asks of more pictures, of some arms or of all.
MORE, DEEPER = ", over more pictures", ("pgd", "maps", "certified")
COLUMNS: Mapping[str, str] = {
    "clean": CLEAN,
    "PGD, ε/8": EIGHTH,
    "ε/4": QUARTER,
    "ε": PGD,
    "gradient, top-k": "gradient, top_k: top_k",
    "IG, top-k": IG_TOP,
    "IG, τ": IG_ORDER,
    "certified radius": "certified radius of the prediction",
    "overlap at 0.1": OVERLAP,
    "at 0.25": "certified overlap at 0.25",
    "CPU s": COST,
}
# Adversarial training at other bounds, and none, between which SPAT's clean accuracy is looked up.
LINE = ("pgd", "pgd-most", "pgd-half", "standard")
SHARP, HEAVY = "cacr-wacr-sharp", ("cacr-wacr-heavy", "ig-sum-norm-heavy")
PLAIN = ("ig-sum-norm-heavy", "pgd")


@dataclass(frozen=True)
class Claim:
    """That an arm has more of a measure than its control. line: than adversarial training of the
    same clean accuracy, interpolated between its bounds."""

    words: str
    arm: str
    control: str
    measure: str = PGD
    line: bool = False


CLAIMS = (
    Claim("SAT (teacher) beats random signs under PGD at ε/8", "sat-guided", "sat-noise", EIGHTH),
    Claim("SAT (teacher) beats random signs under PGD at ε/4", "sat-guided", "sat-noise", QUARTER),
    Claim("SAT (masks) beats random signs under PGD at ε/8", "sat-masks", "sat-noise", EIGHTH),
    Claim("SAT (masks) beats random signs under PGD at ε/4", "sat-masks", "sat-noise", QUARTER),
    Claim("SAT (teacher) reads more clean pictures right", "sat-guided", "sat-noise", CLEAN),
    Claim("SAT (Grad-CAM++) beats random signs, ε/8", "sat-gradcam", "sat-noise", EIGHTH),
    Claim("SAT (Grad-CAM++) beats random signs, ε/4", "sat-gradcam", "sat-noise", QUARTER),
    Claim("SAT (Grad-CAM++) reads more clean pictures right", "sat-gradcam", "sat-noise", CLEAN),
    Claim("SAT (SmoothGrad) beats random signs, ε/8", "sat-smoothgrad", "sat-noise", EIGHTH),
    Claim("SAT (SmoothGrad) beats random signs, ε/4", "sat-smoothgrad", "sat-noise", QUARTER),
    Claim("SAT (SmoothGrad) reads more clean pictures right", "sat-smoothgrad", "sat-noise", CLEAN),
    Claim("SAT (masks) reads more clean pictures right", "sat-masks", "sat-noise", CLEAN),
    Claim("SAT + PGD withstands PGD better than PGD training", "sat-pgd", "pgd"),
    Claim("SAT + PGD reads more clean pictures right", "sat-pgd", "pgd", CLEAN),
    Claim("SAT (masks) + PGD withstands PGD better than PGD training", "sat-masks-pgd", "pgd"),
    Claim("SAT (masks) + PGD reads more clean pictures right", "sat-masks-pgd", "pgd", CLEAN),
    Claim("SAT + TRADES withstands PGD better than TRADES", "sat-trades", "trades"),
    Claim("SAT + TRADES reads more clean pictures right", "sat-trades", "trades", CLEAN),
    Claim("SPAT withstands PGD better than PGD training at its bound", "spat", "pgd"),
    Claim("SPAT withstands PGD better than PGD training at half the bound", "spat", "pgd-half"),
    Claim("SPAT withstands PGD better at equal clean accuracy", "spat", "pgd", line=True),
    Claim("SAT + PGD withstands PGD better at equal clean accuracy", "sat-pgd", "pgd", line=True),
    Claim("SPAT + TRADES withstands PGD better than TRADES", "spat-trades", "trades"),
    Claim("SPAT + TRADES reads more clean pictures right", "spat-trades", "trades", CLEAN),
    Claim("SPAT + TRADES withstands PGD better than without smoothing", "spat-trades", "trades-ce"),
    Claim("TRADES withstands PGD better if its attack climbs cross-entropy", "trades-ce", "trades"),
    Claim("CACR + WACR keep more of IG's top k", "cacr-wacr", "ig-sum-norm", IG_TOP),
    Claim("CACR + WACR keep more of IG's order", "cacr-wacr", "ig-sum-norm", IG_ORDER),
    Claim("IG-SUM-NORM keeps more of IG's top k than PGD training", "ig-sum-norm", "pgd", IG_TOP),
    Claim("CACR with a gain + WACR keep more of IG's top k", SHARP, "ig-sum-norm", IG_TOP),
    Claim("CACR with a gain + WACR keep more of IG's order", SHARP, "ig-sum-norm", IG_ORDER),
    Claim("CACR with a gain + WACR read more clean pictures right", SHARP, "ig-sum-norm", CLEAN),
    Claim(
        "CACR with a gain + WACR keep more of IG's top k than PGD training", SHARP, "pgd", IG_TOP
    ),
    Claim("at weight 1: CACR + WACR keep more of IG's top k", *HEAVY, IG_TOP),
    Claim("at weight 1: CACR + WACR keep more of IG's order", *HEAVY, IG_ORDER),
    Claim("at weight 1: CACR + WACR read more clean pictures right", *HEAVY, CLEAN),
    Claim("at weight 1: CACR + WACR withstand PGD better", *HEAVY),
    Claim("IG-SUM-NORM at weight 1 keeps more of IG's top k than PGD training", *PLAIN, IG_TOP),
)


@dataclass(frozen=True)
class Finding:
    """A claim with the differences that were measured, one for each seed, over so many pictures."""

    claim: Claim
    differences: tuple[float, ...]
    pictures: int

    @property
    def verdict(self) -> str:
        """confirmed or refuted where seeds agree in sign, and the mean is twice its standard error
        over seeds away from 0, and more than 1/√pictures; else, or of one seed, not decided.

        1/√n is twice the largest standard error that the mean of n values in [0, 1] can have.
        """
        mean, seeds = statistics.fmean(self.differences), len(self.differences)
        if seeds < 2:
            return "not decided (one seed)"
        error = statistics.stdev(self.differences) / sqrt(seeds)
        signs = {difference > 0 for difference in self.differences}
        if len(signs) > 1 or abs(mean) <= max(2 * error, 1 / sqrt(self.pictures)):
            return "not decided"
        return "confirmed" if mean > 0 else "refuted"


Measured = Mapping[str, Mapping[str, Mapping[str, float]]]


def measured(record: Record) -> Measured:
    """Arm, seed, measure → number."""
    made: dict[str, dict[str, dict[str, float]]] = {}
    for unit in record["units"]:
        values = dict(numbers(unit["examination"])) | {COST: unit["cost"]}
        for each in unit.get("weaker", ()):
            values[f"accuracy after PGD at {each['share']:g}"] = each["accuracy"]
        more = numbers({part: unit[part] for part in DEEPER if part in unit})
        values |= {name + MORE: value for name, value in more}
        made.setdefault(unit["arm"], {})[unit["seed"]] = values
    return made


def settings(records: Mapping[str, Record]) -> str:
    """One row for each experiment: what was trained on, and how many pictures were asked."""
    lines = [
        "| | trained on | ε | attack | clean | PGD | maps | certificates |",
        "| --- | --- | --: | --: | --: | --: | --: | --- |",
    ]
    for name, record in records.items():
        asked, units = record["setting"], record["units"]
        paper = asked["paper"]
        trained = f"{asked['take'] or 'all'} × {asked['epochs']} epochs in batches of "
        cells = [
            trained + str(asked["batch"]),
            f"{asked['bound']:g}",
            f"{asked['steps']} steps",
            *(_counts(units, part) for part in ("clean", "pgd", "maps", "certified")),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} × {paper['samples']} samples |")
    return "\n".join(lines) + "\n"


def _counts(units: Sequence[Mapping[str, Any]], part: str) -> str:
    """How many pictures of all networks, and of some arms where those were asked of more."""
    few, more = units[0]["examination"][part]["pictures"], [u[part] for u in units if part in u]
    return f"{few}, then {more[0]['pictures']}" if more else str(few)


def table(record: Record) -> str:
    """One row for each arm: mean over seeds ± standard deviation, which one seed has not.

    Over more pictures where all arms have them.
    """
    known = measured(record)
    best = {title: _best(name, known) for title, name in COLUMNS.items()}
    columns = {title: name for title, name in best.items() if name}
    lines = [f"| arm | seeds | {' | '.join(columns)} |", f"| --- |{' --: |' * (len(columns) + 1)}"]
    for arm, seeds in known.items():
        cells = [
            spread([each[name] for each in seeds.values()], 0 if name == COST else 3)
            for name in columns.values()
        ]
        lines.append(f"| `{arm}` | {len(seeds)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _best(name: str, known: Measured) -> str:
    """The measure over more pictures if all networks have it, itself if they have that, or ""."""
    networks = [each for seeds in known.values() for each in seeds.values()]
    both = (each for each in (name + MORE, name) if all(each in values for values in networks))
    return next(both, "")


def spread(values: Sequence[float], digits: int) -> str:
    """The mean and, of several, ± the standard deviation."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def findings(record: Record) -> list[Finding]:
    """Every claim that has both its arms, with the seeds that both were trained for."""
    known, made = measured(record), []
    for claim in CLAIMS:
        if {claim.arm, claim.control} <= set(known) and (asked := _asked(claim, known)).measure:
            made += [found] if (found := _finding(asked, known, record)).differences else []
    return made


def _asked(claim: Claim, known: Measured) -> Claim:
    """The claim about the best measure that the arms it compares have."""
    names = {claim.arm, claim.control, *(LINE if claim.line else ())} & set(known)
    return replace(claim, measure=_best(claim.measure, {name: known[name] for name in names}))


def _finding(claim: Claim, known: Measured, record: Record) -> Finding:
    seeds = [seed for seed in known[claim.arm] if seed in known[claim.control]]
    differences = tuple(_difference(claim, known, seed) for seed in seeds)
    return Finding(claim, differences, pictures(record, claim.measure))


def pictures(record: Record, measure: str) -> int:
    """Over how many pictures a measure is a mean, at least."""
    if measure in (EIGHTH, QUARTER):
        return int(record["units"][0]["weaker"][0]["pictures"])
    name = measure.removesuffix(MORE)
    part = {CLEAN: "clean", PGD: "pgd"}.get(name)
    part = part or ("certified" if name.startswith("certified") else "maps")
    where = [unit if measure.endswith(MORE) else unit["examination"] for unit in record["units"]]
    return min(int(each[part]["pictures"]) for each in where if part in each)


def _difference(claim: Claim, known: Measured, seed: str) -> float:
    ours = known[claim.arm][seed]
    if not claim.line:
        return ours[claim.measure] - known[claim.control][seed][claim.measure]
    line = [known[name][seed] for name in LINE if seed in known.get(name, {})]
    points = sorted((each[CLEAN], each[claim.measure]) for each in line)
    clean, attacked = zip(*points, strict=True)
    return ours[claim.measure] - float(np.interp(ours[CLEAN], clean, attacked))


def claims(found: Iterable[Finding]) -> str:
    """One row for each claim: the mean difference, that of each seed, and what follows."""
    lines = ["| claim | difference | by seed | verdict |", "| --- | --: | --- | --- |"]
    for each in found:
        mean = statistics.fmean(each.differences)
        by_seed = ", ".join(f"{difference:+.3f}" for difference in each.differences)
        lines.append(f"| {each.claim.words} | {mean:+.3f} | {by_seed} | {each.verdict} |")
    return "\n".join(lines) + "\n"


def raised(record: Record) -> str:
    """One row for each arm but `standard`: by how much its certified overlap at 0.1 is higher, by
    the rule of claims, and how many times its training costs."""
    known = measured(record)
    lines = [
        "| arm | overlap at 0.1 | by seed | raised | cost |",
        "| --- | --: | --- | --- | --: |",
    ]
    for arm in (name for name in known if name != "standard" and "standard" in known):
        claim = _asked(Claim(arm, arm, "standard", OVERLAP), known)
        found = _finding(claim, known, record)
        by_seed = ", ".join(f"{difference:+.3f}" for difference in found.differences)
        seeds = [seed for seed in known[arm] if seed in known["standard"]]
        cost = statistics.fmean(known[arm][s][COST] / known["standard"][s][COST] for s in seeds)
        mean = statistics.fmean(found.differences)
        cells = [f"{mean:+.3f}", by_seed, found.verdict, f"× {cost:.1f}"]
        lines.append(f"| `{arm}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the tables of each file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("records", nargs="+", type=Path)
    records = {path.stem: json.loads(path.read_text()) for path in parser.parse_args().records}
    print(settings(records))
    for name, record in records.items():
        print(f"{name}\n\n{table(record)}\n{claims(findings(record))}\n{raised(record)}")


if __name__ == "__main__":
    main()
