"""The judge's programs: the worst population behind what is known, under the noise's changed law.

A smoothed map is what some function of the noise gives under its law P, its perturbed one what the
same function gives under Q, the law after a change. Cut the noise into cells: every way to
distribute outcomes over the cells is a function, so a linear program over all of them finds the
population within bounds that breaks a claim by most. Each is a true counterexample, whatever the
cells; and as the cells' edges include the quantiles of the bounds, no half-line is missed. In ℓ1
one moved entry is all there is, and for Gaussian noise one direction; elsewhere the cells of
several entries are multiplied and sorted by likelihood ratio.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, pairwise, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import linprog
from scipy.special import gamma

from certify.noise import Gaussian, Law
from certify.plan import Plan

Floats = NDArray[np.float64]
# A margin below this is no counterexample, nor is one that breaks the bounds by as little as a
# program's tolerance: a thousandth of a probability under P may be a half under Q.
TOLERANCE, EXACT = 2e-7, 1e-10


@dataclass(frozen=True, eq=False)
class Cells:
    """Chances of cells of the noise, at the picture (here) and at the changed one (there)."""

    here: Floats
    there: Floats

    def times(self, other: "Cells") -> "Cells":
        """Two independent entries, cells of similar likelihood ratio put together."""
        here = np.multiply.outer(self.here, other.here).ravel()
        there = np.multiply.outer(self.there, other.there).ravel()
        order = np.argsort(np.log(there + 1e-300) - np.log(here + 1e-300))
        both = np.cumsum((here + there)[order]) / 2
        cut = np.searchsorted(both, np.linspace(0, 1, 97)[1:-1])
        starts = np.unique([0, *cut.tolist()])
        starts = starts[starts < len(here)]
        return Cells(np.add.reduceat(here[order], starts), np.add.reduceat(there[order], starts))


def one_entry(law: Law, shift: float, probabilities: list[float]) -> Cells:
    """One entry moved by `shift`; edges at the quantiles of `probabilities` and of a grid."""
    drawn = _scipy(law)
    grid = np.concatenate([np.geomspace(1e-12, 0.03, 8), np.linspace(0.06, 0.94, 17)])
    low = np.array([p for p in (*grid, *probabilities) if 0 < p < 1])
    edges = np.concatenate([drawn.ppf(low), drawn.isf(low)])
    edges = np.unique(np.concatenate([edges, edges + shift]))
    edges = np.concatenate([[-np.inf], edges[np.isfinite(edges)], [np.inf]])
    return Cells(*(_masses(drawn, edges - moved) for moved in (0.0, shift)))


def _scipy(law: Law) -> Any:
    width = law.scale * np.sqrt(gamma(1 / law.shape) / gamma(3 / law.shape))
    return stats.gennorm(law.shape, scale=width)


def _masses(drawn: Any, edges: Floats) -> Floats:
    low, high = drawn.cdf(edges), drawn.sf(edges)
    return np.array(
        [
            q - p if b <= 0 else s - t
            for (a, b), (p, q), (s, t) in zip(
                pairwise(edges), pairwise(low), pairwise(high), strict=True
            )
        ]
    ).clip(0)


def changes(plan: Plan, norm: str, radius: float, bounds: list[float]) -> Iterator[Cells]:
    """Changes of ℓ_d size `radius`: of one entry, and where the norm gains by it of all alike."""
    law, entries = plan.recipe.noise, plan.entries
    yield one_entry(law, radius, bounds)
    reciprocal = 0.0 if norm == "inf" else 1 / float(norm)
    if reciprocal > 0.5 or entries == 1:
        return
    if isinstance(law, Gaussian):
        yield one_entry(law, radius * entries ** (0.5 - reciprocal), bounds)
        return
    doublings = min(int(np.log2(entries)), 5)
    cells = one_entry(law, radius * 2.0 ** (-reciprocal * doublings), [])
    yield reduce(lambda many, _: many.times(many), range(doublings), cells)


def outcomes(plan: Plan) -> Floats:
    """Everything a sample can say: a row of shares of the first rank's points for each."""
    points = plan.points / plan.points[0]
    if plan.votes_only:
        chosen = combinations(range(plan.features), plan.recipe.votes)
        return np.array([[float(i in c) for i in range(plan.features)] for c in chosen])
    return np.array(sorted(set(permutations(points.tolist()))))


def margin(
    cells: Cells, said: Floats, limits: list[tuple[Floats, float]], pairs: list[tuple[int, int]]
) -> float:
    """The least that max over pairs (a, b) of mean a − mean b, after the change, can be brought to.

    Over all functions from cells to chances of outcomes `said` (outcomes, features). limits: rows
    (weights of outcomes, least mean before the change). Infinite if none lies within the limits.
    """
    size = len(cells.here) * len(said)
    chances = np.zeros((len(cells.here), size + 1))
    for cell in range(len(cells.here)):
        chances[cell, cell * len(said) : (cell + 1) * len(said)] = 1

    def mean(masses: Floats, weights: Floats) -> Floats:
        return np.append(np.multiply.outer(masses, weights).ravel(), 0.0)

    rows = [-mean(cells.here, weights) for weights, _ in limits]
    tops = [-(least + 4 * EXACT) for _, least in limits]
    for a, b in pairs:
        row = mean(cells.there, said[:, a] - said[:, b])
        row[-1] = -1
        rows.append(row)
        tops.append(0.0)
    goal = np.zeros(size + 1)
    goal[-1] = 1
    found = linprog(
        goal,
        A_ub=np.array(rows),
        b_ub=np.array(tops),
        A_eq=chances,
        b_eq=np.ones(len(cells.here)),
        bounds=[(0, 1)] * size + [(-1, 1)],
        method="highs",
        options={"primal_feasibility_tolerance": EXACT, "dual_feasibility_tolerance": EXACT},
    )
    return float(found.fun) if found.success else np.inf
