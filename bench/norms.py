"""What each norm costs at 224×224×3: the radius that given vote margins prove, by law and norm.

    python -m bench.norms              computes docs/bench/norms.json, writes docs/norms.md from it
    python -m bench.norms --page-only  writes docs/norms.md from docs/bench/norms.json

No network and no samples: bounds are given, as if proven by many, and the route is "per_feature".
"""

import argparse
import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from bench.provenance import ROOT, provenance
from certify.ball import NormBall
from certify.choice import published_law
from certify.claims import Boundary
from certify.confidence import ONE
from certify.noise import Gaussian, GeneralizedNormal, Laplace, Law
from certify.per_feature import class_radius, radius
from certify.radius import intensity

ENTRIES, SCALE, GREY = 224 * 224 * 3, 0.25, 255
NORMS = ("1", "2", "4", "inf")
# Lower bound of a feature inside, upper bound of one outside.
MARGINS = (("0.6", "0.4"), ("0.9", "0.1"), ("0.99", "0.01"), ("0.999", "0.001"))
USUAL = 1
SHAPES = (4, 6, 8, 12)
PAGE, NUMBERS = ROOT / "docs" / "norms.md", ROOT / "docs" / "bench" / "norms.json"


@dataclass(frozen=True)
class Row:
    """One law in one norm. pairs, classes: radii by margin, of a swap and of the class's majority.

    published: whether Liu et al. (2021) pair this law with this norm.
    """

    norm: str
    law: str
    shape: int
    published: bool
    pairs: list[float]
    classes: list[float]


def main() -> None:
    """Compute unless told not to, then write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--page-only", action="store_true")
    if not parser.parse_args().page_only:
        rows = [asdict(row(law, norm)) for norm in NORMS for law in laws()]
        record = {**provenance(), "entries": ENTRIES, "scale": SCALE, "margins": MARGINS}
        NUMBERS.write_text(json.dumps({**record, "rows": rows}, indent=1) + "\n")
    PAGE.write_text(page(json.loads(NUMBERS.read_text())))
    print(f"wrote {PAGE.relative_to(ROOT)}")


def laws() -> list[Law]:
    """The laws compared, all of the same standard deviation."""
    return [Gaussian(SCALE), Laplace(SCALE), *(GeneralizedNormal(SCALE, b) for b in SHAPES)]


def row(law: Law, norm: str) -> Row:
    """What every margin proves with one law in one norm."""
    ball = NormBall(norm, ENTRIES)
    bounds = [[int(Fraction(bound) * ONE) for bound in margin] for margin in MARGINS]
    cuts = [Boundary((0,), *(np.array([bound]) for bound in pair)) for pair in bounds]
    return Row(
        norm,
        law.name,
        law.shape,
        published_law(ball, SCALE) == law,
        [intensity(radius(cut, 1, law, ball)) for cut in cuts],
        [intensity(class_radius(low, law, ball)) for low, _ in bounds],
    )


def page(record: dict[str, Any]) -> str:
    """The document, from its numbers alone."""
    rows = [Row(**given) for given in record["rows"]]
    best = {norm: max(r.pairs[USUAL] for r in rows if r.norm == norm) for norm in NORMS}
    gaussian = {r.norm: r.pairs[USUAL] for r in rows if r.law == "gaussian"}
    return TEXT.format(
        tables="\n".join(_table(norm, [r for r in rows if r.norm == norm]) for norm in NORMS),
        one=best["1"],
        one_grey=best["1"] * GREY,
        two=best["2"],
        two_grey=best["2"] * GREY,
        two_all=best["2"] * GREY / ENTRIES**0.5,
        four=best["4"],
        four_all=best["4"] * GREY / ENTRIES**0.25,
        infinity=best["inf"],
        infinity_grey=best["inf"] * GREY,
        ratio=gaussian["2"] / gaussian["inf"],
        needed=SCALE / (GREY * best["inf"]),
    )


def _table(norm: str, rows: list[Row]) -> str:
    margins = " | ".join(f"{low} / {high}" for low, high in MARGINS)
    lines = [f"### {'ℓ∞' if norm == 'inf' else f'ℓ{norm}'}", "", f"| law | shape | {margins} |"]
    lines.append("| --- | --: |" + " --: |" * len(MARGINS))
    best = [max(column) for column in zip(*(r.pairs for r in rows), strict=True)]
    for r in rows:
        cells = [
            f"**{proven:.7f}**" if proven == most else f"{proven:.7f}"
            for proven, most in zip(r.pairs, best, strict=True)
        ]
        name = f"{r.law}, the published pairing" if r.published else r.law
        lines.append(f"| {name} | {r.shape} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


TEXT = """# What a norm costs

A certificate says up to which size of change its claim holds, and a size can be measured in many
ways. This page computes what the choice costs, for a picture of 224×224×3 = 150 528 values and
noise of standard deviation 0.25. `python -m bench.norms` writes it; the numbers with their commit
are in [bench/norms.json](bench/norms.json).

## In plain words

A reported feature is voted for by at least 90 % of the noisy pictures, another by at most 10 %.
The first provably stays ahead of the second under these changes, each by its best law:

| norm | what it counts | radius | in grey levels |
| --- | --- | --: | --- |
| ℓ1 | the sum of all changes | {one:.4f} | {one_grey:.0f} in all, over however many values |
| ℓ2 | the root of the squares | {two:.4f} | {two_grey:.0f} in one value, {two_all:.2f} in all |
| ℓ4 | between ℓ2 and ℓ∞ | {four:.5f} | {four_all:.2f} in every value |
| ℓ∞ | the largest change of any value | {infinity:.6f} | {infinity_grey:.2f} in every value |

- **The ℓ∞ radius is tiny, and honestly so.** A change of ε in every value has ℓ2 size ε·√150 528,
  so the ℓ∞ radius is the ℓ2 radius divided by {ratio:.0f}. In 8-bit pictures the smallest change is
  one grey level: an ℓ∞ radius below 1/255 = 0.0039 says nothing about any other picture. To survive
  one grey level in every value with these margins, the noise would need a standard deviation of
  {needed:.2f}, more than the whole range from black to white. Flat-topped noise does not help,
  although the published pairing chooses it: of all laws of one standard deviation the Gaussian is
  told least easily from itself after a small change.
- **ℓ2 is the norm these certificates are about.** Gaussian noise pays no factor for the size of the
  picture there.
- **An ℓ1 radius is never smaller than the ℓ2 radius, but covers fewer changes.** Only in ℓ1 is
  another law better than the Gaussian: flat-topped noise while votes are divided, Laplace noise
  once they are nearly unanimous.

`certify.choice` computes this choice from the norm and the number of samples (`auto`), or takes the
published pairing (`liu2021`).

## Radii

By lower bound of the feature inside / upper bound of the one outside, in [0, 1] intensity; the best
of each column in bold. Shape is the exponent of the noise's density.

{tables}
How it is proven: [theory](theory.md).
"""


if __name__ == "__main__":
    main()
