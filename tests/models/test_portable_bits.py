"""A sample's bits follow from picture, weights and address, not from what computes them.

The same samples again in processes whose libraries are told to do without the processor's newer
instructions, with other tiles, more threads and other lanes: libraries then add up in other orders,
which layers show and native code does not.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.native.compiling import available
from models.registry import card, weights_file

ROOT = Path(__file__).parents[2]
OLD = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
}
CHILD = """
import hashlib, sys
from unittest.mock import patch
import torch
from bench.planned import planned
from models.loading import Network
from models.native import chain
from models.native.compiling import NARROW, WIDE
from models.registry import card
from models.sampling import Sampler

name, photo, tiles, way, attribution = sys.argv[1:]
with patch.object(chain, "usual", lambda: {"narrow": NARROW, "wide": WIDE}[tiles]):
    network = Network(card(name))
    if way == "layers":
        network.merged = network.module
    sampler = Sampler(network)
    picture, plan = planned(sampler, photo, 0.25, "0" * 31 + "7", attribution=attribution)
    scores = sampler.scores(plan, picture, 0, 11)
    places, predictions = sampler.rank(plan, picture, 0, 11)
print(*(hashlib.sha256(each.tobytes()).hexdigest() for each in (scores, places, predictions)))
"""
pytestmark = pytest.mark.skipif(not available(), reason="this processor has no fused operation")


def said(name: str, tiles: str, way: str, attribution: str, old: bool, threads: int) -> str:
    photo = (
        ROOT / "examples" / ("digits/four.png" if name == "digits-tiny" else "photos/coffee.jpg")
    )
    environment = {**os.environ, **(OLD if old else {}), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", CHILD, name, str(photo), tiles, way, attribution]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout
