"""What is sampled and what is asked, as data: Recipe, Plan, Question.

A plan names everything that decides a sample: picture, network, target, recipe and key. What
follows from it is computed elsewhere. Fields are never removed and never change meaning.
"""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from certify.ball import NORM_RULE, NormBall, is_norm
from certify.fields import require
from certify.noise import LAWS, Law
from certify.randomness import KEY_DIGITS
from certify.scores import SCORES, VOTE, Points, points, weight

# What each name stands for, to the last parameter: docs/attributions.md.
AttributionName = Literal[
    "gradient",
    "input_x_gradient",
    "integrated_gradients",
    "smoothgrad",
    "squared_smoothgrad",
    "sparsified_smoothgrad",
    "relaxed_smoothgrad",
    "guided_backprop",
    "grad_cam",
    "lrp",
    "occlusion",
    "rise",
    "dance",
]
ATTRIBUTIONS: tuple[str, ...] = get_args(AttributionName)
# Each is a network of its own: weights, activations and their gradients have this many bits; of
# tf32 the factors of products, of which only GPUs make such.
PrecisionName = Literal["float32", "bfloat16", "float16", "tf32"]
PRECISIONS: tuple[str, ...] = get_args(PrecisionName)
CONFIDENCES = ("anytime", "fixed")
LARGEST_SIDE = 4096
LARGEST_LANES = 4096
DIGEST_DIGITS = 64


def _hex(text: str, digits: int) -> bool:
    return re.fullmatch(f"[0-9a-f]{{{digits}}}", text) is not None


@dataclass(frozen=True)
class Recipe:
    """How one noisy picture becomes votes.

    law, shape, scale: the noise (`certify.noise`); shape is the exponent of its density, 2 for
    gaussian, 1 for laplace, an even number from 4 to 20 for generalized_normal. attribution: the
    base map, a function of the noisy picture and a fixed target. cell: side of a feature in pixels;
    the map's absolute value, its maximum over channels, its mean over the cell. votes: how many
    features of highest score each sample votes for, ties to the lower index. lanes: pictures in one
    forward pass, always full, because a network's rounding may depend on it. precision: arithmetic
    of the network. score: what a feature gets for its rank (`certify.scores`); what `votes` means
    there for other scores than vote.
    """

    law: str
    shape: int
    scale: float
    attribution: str
    cell: int
    votes: int
    lanes: int
    precision: str
    score: str = VOTE

    def __post_init__(self) -> None:
        require(self.law in LAWS, "law", self.law, f"be one of {', '.join(LAWS)}")
        for name, known in (
            ("attribution", ATTRIBUTIONS),
            ("precision", PRECISIONS),
            ("score", tuple(SCORES)),
        ):
            given = getattr(self, name)
            require(given in known, name, given, f"be one of {', '.join(known)}")
        for name, largest in (("cell", LARGEST_SIDE), ("lanes", LARGEST_LANES)):
            number = getattr(self, name)
            require(1 <= number <= largest, name, number, f"lie in 1..{largest}")
        require(self.votes >= 1, "votes", self.votes, "be at least 1")
        shapes = LAWS[self.law].shapes
        rule = f"be one of {', '.join(map(str, shapes))} for {self.law}"
        require(self.shape in shapes, "shape", self.shape, rule)
        LAWS[self.law].of(self.shape, self.scale)

    @property
    def noise(self) -> Law:
        """The law of the noise, of the recipe's shape and scale."""
        return LAWS[self.law].of(self.shape, self.scale)


@dataclass(frozen=True)
class Plan:
    """What decides every sample.

    model: name of the network, weights: SHA-256 of its weights file. image: SHA-256 of the 8-bit
    array as it enters the recipe, height·width·channels in C order. target: class index whose score
    the map explains. key: the noise's 128 bits as 32 hexadecimal digits.
    """

    model: str
    weights: str
    image: str
    height: int
    width: int
    channels: int
    target: int
    recipe: Recipe
    key: str

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            side = getattr(self, name)
            require(1 <= side <= LARGEST_SIDE, name, side, f"lie in 1..{LARGEST_SIDE}")
            fits = side % self.recipe.cell == 0
            require(fits, "cell", self.recipe.cell, f"divide the {name}, {side} pixels")
        require(1 <= self.channels <= 16, "channels", self.channels, "lie in 1..16")
        require(0 <= self.target < 1 << 31, "target", self.target, "be a class index")
        widths = {"weights": DIGEST_DIGITS, "image": DIGEST_DIGITS, "key": KEY_DIGITS}
        for name, digits in widths.items():
            text = getattr(self, name)
            require(_hex(text, digits), name, text, f"be {digits} lower-case hexadecimal digits")
        votes = self.recipe.votes
        require(
            votes < self.features, "votes", votes, f"be fewer than the {self.features} features"
        )

    @property
    def entries(self) -> int:
        """Noise values per sample: height·width·channels."""
        return self.height * self.width * self.channels

    @property
    def rows(self) -> int:
        """Rows of the feature grid."""
        return self.height // self.recipe.cell

    @property
    def columns(self) -> int:
        """Columns of the feature grid."""
        return self.width // self.recipe.cell

    @property
    def features(self) -> int:
        """Cells of the feature grid, numbered row by row."""
        return self.rows * self.columns

    @property
    def votes_only(self) -> bool:
        """Whether each sample votes, rather than giving points by rank."""
        return self.recipe.score == VOTE

    @property
    def points(self) -> Points:
        """What the features of a sample get by rank, (features,), never rising."""
        return points(self.recipe.score, self.recipe.votes, self.features)

    def shares(self, counts: NDArray[np.int64], samples: int) -> NDArray[np.float64]:
        """Each feature's mean over `samples` samples, of votes or of points over the largest."""
        return np.asarray(counts / (samples * int(self.points[0])))

    @property
    def weight(self) -> Fraction:
        """What all features of a sample get together, in units of the first rank's points."""
        return weight(self.recipe.score, self.recipe.votes, self.features)


@dataclass(frozen=True)
class Question:
    """What is asked of the evidence.

    k: how many features are reported. samples: how many were asked for. failure_probability: of the
    whole document, over the noise. confidence: "anytime" holds at every number of samples at once,
    so one may stop when satisfied; "fixed" holds for exactly `samples`, a little tighter there.
    norm: d of the ℓ_d norm that measures a change, as text: "1", "2", "2.5", "inf".
    """

    k: int
    samples: int
    failure_probability: float
    confidence: str
    norm: str

    def __post_init__(self) -> None:
        require(self.k >= 1, "k", self.k, "be at least 1")
        require(self.samples >= 1, "samples", self.samples, "be at least 1")
        given = self.failure_probability
        open_unit = math.isfinite(given) and 0 < given < 1
        require(open_unit, "failure_probability", given, "lie strictly between 0 and 1")
        require(is_norm(self.norm), "norm", self.norm, NORM_RULE)
        known = self.confidence in CONFIDENCES
        require(known, "confidence", self.confidence, f"be one of {', '.join(CONFIDENCES)}")

    def ball(self, plan: Plan) -> NormBall:
        """The changes of the plan's picture that the question's norm measures."""
        return NormBall(self.norm, plan.entries)
