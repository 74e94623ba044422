"""What evidence costs at scale: seconds and memory of every step, from merging to verifying.

    python -m bench.scale              100 000 samples, 50 176 and 4 096 features: half an hour
    python -m bench.scale --page       only write the page again, from the JSON

Votes are made at fixed addresses (`bench.synthetic`). Each step is a process of its own: seconds
are its CPU seconds without making or loading what it works on, memory is the most that it ever held
(ru_maxrss), interpreter and libraries included. Writes docs/bench/scale.json and docs/scale.md.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.scale_evidence import Done, digest, gather, kept, one_by_one, recounted
from bench.scale_page import page
from bench.scale_proofs import certify_anytime, certify_fixed, document, profile, verified
from bench.synthetic import Voters

ROOT = Path(__file__).parents[1]
NUMBERS, PAGE = ROOT / "docs" / "bench" / "scale.json", ROOT / "docs" / "scale.md"
SAMPLES, SIDES = 100_000, (224, 64)


def idle(voters: Voters, samples: int, folder: Path) -> Done:
    """Nothing: what the interpreter and its libraries hold."""
    return {}


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


if __name__ == "__main__":
    main()
