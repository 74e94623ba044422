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
from pathlib import Path
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
    picture, plan = planned(sampler, Path(photo), 0.25, "0" * 31 + "7", attribution=attribution)
    scores = sampler.scores(plan, picture, 0, 11)
    places, predictions = sampler.rank(plan, picture, 0, 11)
print(*(hashlib.sha256(each.tobytes()).hexdigest() for each in (scores, places, predictions)))
"""
pytestmark = pytest.mark.skipif(not available(), reason="this processor has no fused operation")


def said(
    way: str, attribution: str, *, model: str, tiles: str = "narrow", old: bool, threads: int = 1
) -> list[str]:
    """Digests of scores, places and predictions of eleven samples about a photograph."""
    environment = {**os.environ, **(OLD if old else {}), "OMP_NUM_THREADS": str(threads)}
    photo = str(ROOT / "examples" / "photos" / "coffee.jpg")
    command = [sys.executable, "-c", CHILD, model, photo, tiles, way, attribution]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split()


def same_everywhere(attribution: str, model: str) -> None:
    plain = said("native", attribution, model=model, old=False)
    assert len(plain) == 3
    assert said("native", attribution, model=model, old=True) == plain
    wide = said("native", attribution, model=model, tiles="wide", old=False, threads=2)
    assert wide == plain


def test_scores_have_the_same_bits_whatever_computes_them() -> None:
    same_everywhere("gradient", "digits-tiny")


@pytest.fixture
def photographs() -> str:
    if not weights_file(card("efficientnet-lite0")).exists():
        pytest.skip("weights are not here")
    return "efficientnet-lite0"


@pytest.mark.slow
@pytest.mark.parametrize(
    "attribution",
    [
        "gradient",
        "grad_cam",
        "input_x_gradient",
        "integrated_gradients",
        "smoothgrad",
        "squared_smoothgrad",
        "relaxed_smoothgrad",
        "sparsified_smoothgrad",
        "occlusion",
    ],
)
def test_so_have_those_of_a_network_for_photographs(attribution: str, photographs: str) -> None:
    same_everywhere(attribution, photographs)


@pytest.mark.slow
def test_layers_have_other_bits_on_older_instructions(photographs: str) -> None:
    """Or the tests above would see nothing."""
    new, old = (said("layers", "gradient", model=photographs, old=old) for old in (False, True))
    assert new[0] != old[0]
