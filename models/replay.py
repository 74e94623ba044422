"""Draw a document's evidence again: same picture, same network, same noise; count what differs.

This is the part of trust that `certify.verify` cannot give: that the votes came from the network
and the picture which the document names. On the same kind of machine no vote differs, and in
float32 by native code on no other (`models.native`). Elsewhere another kind of machine may round
differently, and a vote whose two features were all but equal may fall the other way; so a small
share may differ before the replay fails. The proof rests on the votes in the document and has no
such tolerance.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray

from certify.evidence import Evidence
from certify.plan import Plan
from certify.reading import Document
from models.identity import picture
from models.loading import Network
from models.registry import card
from models.sampling import Sampler

# One in so many votes, or predictions, may differ. Rounding flips far fewer; another network,
# picture or key makes most of the votes differ.
TOLERATED = 100
# Samples between two reports of progress.
PART = 64

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Replay:
    """What came out differently. A vote differs if the document has it and the replay has not.

    unit: what samples give, "votes" or "points". single: whether votes were compared one by one.
    Where the document keeps only counts, `votes_differ` is the least number of differing votes
    that explains the difference in counts.
    same_file: whether the picture came in the very file that was sent; the same pixels may come in
    another.
    """

    samples: int
    votes: int
    votes_differ: int
    predictions_differ: int
    unit: str
    single: bool
    same_file: bool

    @property
    def holds(self) -> bool:
        """Whether no more differs than another kind of machine may explain."""
        votes = self.votes_differ * TOLERATED <= self.votes
        return votes and self.predictions_differ * TOLERATED <= self.samples


def replay(
    document: Document, photo: bytes, *, max_pixels: int, device: str, progress: Progress
) -> Replay:
    """Decode and fit the photo, draw every sample of the document again, and compare.

    Raises BadImage, UnknownModel, WeightsError, Mismatch if picture or weights have other digests,
    and ValueError if this installation cannot draw such a plan.
    """
    plan, image = document.plan, picture(document, photo, max_pixels)
    same_file = sha256(photo).hexdigest() == document.subject.file
    with one_thread():
        sampler = Sampler(Network(card(plan.model), _device(device)))
        return compare(sampler, plan, image, document.evidence, same_file, progress)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread inside the block, as workers do: rounding depends on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def compare(
    sampler: Sampler,
    plan: Plan,
    image: NDArray[np.uint8],
    evidence: Evidence,
    same_file: bool,
    progress: Progress,
) -> Replay:
    """Draw the samples 0 … n − 1 of the evidence again and count what differs."""
    total, votes, predictions = evidence.samples, 0, 0
    counts = np.zeros(plan.features, dtype=np.int64)
    for start in range(0, total, PART):
        stop = min(start + PART, total)
        drawn = sampler.draw(plan, image, start, stop)
        counts += drawn.counts
        predictions += int(np.count_nonzero(drawn.predictions != evidence.predictions[start:stop]))
        if evidence.votes is not None and drawn.votes is not None:
            lost = evidence.votes[start:stop] & ~drawn.votes
            votes += int(np.unpackbits(lost).sum(dtype=np.int64))
        progress(stop, total)
    if evidence.votes is None:
        votes = int(np.maximum(evidence.counts - counts, 0).sum())
    return Replay(
        samples=total,
        votes=total * int(plan.points.sum()),
        votes_differ=votes,
        predictions_differ=predictions,
        unit="votes" if plan.votes_only else "points",
        single=evidence.votes is not None,
        same_file=same_file,
    )


def _device(name: str) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"
