"""What was measured of a network on a machine, and what follows for requests. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.precision import FLOAT32
from models.registry import Card

CPU = Path("/proc/cpuinfo")
GPUS = Path("/proc/driver/nvidia/gpus")
# What decides which precisions are quick on a processor, beside its name.
INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16")
WORTH_LANES, WORTH_PRECISION = 1.05, 1.1


@dataclass(frozen=True)
class Trial:
    """One precision and number of lanes.

    samples_per_second: of one thread of a processor, or of a GPU, with noise, maps and votes.
    cosine: of the mean map with that of float32, for the same noise. equal_votes: share of the
    votes that float32 casts too. equal_predictions: share of the samples with the same class.
    """

    precision: str
    lanes: int
    samples_per_second: float
    cosine: float
    equal_votes: float
    equal_predictions: float


def recommended(card: Card, trials: Sequence[Trial]) -> tuple[Trial, Trial | None]:
    """The quickest in float32; and the quickest of the others, if it is quicker by a tenth.

    The card's own lanes win against others that are not quicker by a twentieth.
    """
    exact = [each for each in trials if each.precision == FLOAT32]
    best = max(exact, key=lambda each: each.samples_per_second)
    for own in exact:
        if own.lanes == card.lanes:
            quick = WORTH_LANES * own.samples_per_second
            best = own if best.samples_per_second < quick else best
    others = [each for each in trials if each.precision != FLOAT32]
    other = max(others, key=lambda each: each.samples_per_second, default=None)
    if other and other.samples_per_second < WORTH_PRECISION * best.samples_per_second:
        other = None
    return best, other


def processor(kind: str) -> str:
    """What computes here: of `cpu` its name and instructions, of `cuda` the names of the GPUs.

    Names that the system does not say are empty.
    """
    if kind == "cpu":
        said = _lines(CPU)
        flags = said.get("flags", "").split()
        known = " ".join(name for name in INSTRUCTIONS if name in flags)
        return f"{said.get('model name', '')} ({known})"
    found = [_lines(file / "information") for file in sorted(GPUS.glob("*"))]
    return ", ".join(each.get("Model", "") for each in found)


def _lines(file: Path) -> dict[str, str]:
    """The first value of each name in a file of lines "name : value"."""
    if not file.exists():
        return {}
    pairs = [line.partition(":") for line in file.read_text().splitlines()]
    return {name.strip(): value.strip() for name, _, value in reversed(pairs)}
