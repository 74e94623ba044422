"""Rates of the arms of docs/throughput.md, and their ratios round by round."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Ratio:
    """Of two rates, round by round: median, least and most."""

    middle: float
    least: float
    most: float

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.middle:.2f}"
        return f"{self.middle:.2f} ({self.least:.2f}–{self.most:.2f})"


class Race:
    """The arms of one network that were measured in turns."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self._each: dict[str, list[float]] = {
            arm["name"]: [seconds / arm["samples"] for seconds in arm["seconds"]]
            for arm in record["arms"]
        }

    def has(self, *names: str) -> bool:
        """Whether all of these were measured."""
        return all(name in self._each for name in names)

    def rate(self, name: str) -> float:
        """Samples a second of the processor, median of the rounds."""
        seconds: float = median(self._each[name])
        return 1 / seconds

    def ratio(self, name: str, to: str) -> Ratio:
        """How many times the rate of one the other has."""
        rounds = [b / a for a, b in zip(self._each[name], self._each[to], strict=False)]
        return Ratio(median(rounds), min(rounds), max(rounds))

    def best(self, *names: str) -> str:
        """The quickest of these that was measured."""
        return max((name for name in names if self.has(name)), key=self.rate)

    @property
    def best_captum(self) -> str:
        """Captum's quickest batch."""
        known: list[str] = [name for name in self._each if name.startswith("captum")]
        return max(known, key=self.rate)
