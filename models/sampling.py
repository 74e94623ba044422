"""The sampling engine: a plan and a range of sample indices in, evidence out.

The same evidence comes out for any split of the range, any order and any worker: noise is addressed
by sample index, and every pass through the network has exactly `lanes` images, because float32
results may depend on the shape of the batch, but at one shape not on place or neighbours (measured,
docs/invariance.md). With lanes 1, strict, every image is computed alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from certify.evidence import Evidence
from certify.plan import Plan
from models import images
from models.attribution.bases import ATTRIBUTIONS
from models.decoys.dancer import Dancer
from models.features import magnitude
from models.lanes import Piece, Run, Said, batches, company
from models.loading import Network
from models.noisy import Fill, filler
from models.passes import passing
from models.precision import FLOAT32, precisions
from models.scoring import cell_scores
from models.tallies import Ballots, Result, Tally, Total, places, predicted, tally


@dataclass(frozen=True)
class Look:
    """What the network says about the clean picture.

    `probabilities` is (classes,) float32; `map` is (height, width) float32, the magnitude of the
    base map, its largest over channels.
    """

    probabilities: NDArray[np.float32]
    target: int
    map: NDArray[np.float32]


class Sampler:
    """Looks at pictures through one network, in any of its precisions."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._networks = {network.precision: network}
        self.card = network.card
        self.dancer = Dancer(network)

    def look(
        self,
        image: NDArray[np.uint8],
        target: int | None = None,
        attribution: str = "gradient",
        precision: str = FLOAT32,
    ) -> Look:
        """Return the prediction and the base map for a (size, size, 3) picture.

        Without a target the predicted class is taken. Raises ValueError for another size or class,
        or an attribution that the network does not support, in this precision or at all.
        """
        self._check_image(image)
        self._check_attribution(attribution, precision)
        classes, network = len(self.card.classes), self.at(precision)
        pixels = torch.from_numpy(image).to(self.network.device, torch.float32).unsqueeze(0)
        if target is None:
            with torch.no_grad(), network.arithmetic():
                target = int(network(pixels).argmax())
        self._check("target", target, 0 <= target < classes, f"a class index below {classes}")
        with network.arithmetic():
            maps, logits = ATTRIBUTIONS[attribution].with_logits(network, pixels, target)
        probabilities = logits.softmax(dim=1)[0].cpu().numpy()
        return Look(probabilities, target, magnitude(maps)[0].cpu().numpy())

    def draw(self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int) -> Evidence:
        """Return the votes, or points by rank, and predictions of samples start … stop - 1.

        Raises ValueError where the plan is not about this network, this picture and these lanes.
        """
        (evidence,) = self._tallied((Piece(plan, image, start, stop),), Ballots)
        return evidence

    def together(self, pieces: Sequence[Piece]) -> list[Said]:
        """Return what each piece asks for, byte for byte what `draw`, or `average` where it is to
        be summed, gives for it alone.

        One piece goes on in the batch in which another ends, so that only the last is ever padded.
        Raises ValueError as `draw` does, and where the pieces cannot share a batch.
        """
        return self._tallied(pieces, tally)

    def rank(
        self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return every feature's place in each of samples start … stop - 1, and the predictions.

        Places are (samples, features), 0 for the highest score; those below `votes` are the votes
        of `draw`.
        """
        rows, predictions = [np.zeros((0, plan.features), np.int32)], [np.zeros(0, np.int32)]
        for _, scores, logits in self._rows((Piece(plan, image, start, stop),)):
            rows.append(places(scores))
            predictions.append(predicted(logits))
        return np.concatenate(rows), np.concatenate(predictions)

    def scores(
        self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
    ) -> NDArray[np.float32]:
        """Return the scores of samples start … stop - 1, (samples, features): the mean over each
        cell of the map's magnitude, from which places and votes follow."""
        rows = [np.zeros((0, plan.features), np.float32)]
        rows += [s.cpu().numpy() for _, s, _ in self._rows((Piece(plan, image, start, stop),))]
        return np.concatenate(rows)

    def average(
        self, plan: Plan, image: NDArray[np.uint8], start: int, stop: int
    ) -> NDArray[np.float64]:
        """Return the sum over samples start … stop - 1 of the scores, (features,).

        The SmoothGrad of magnitudes (Smilkov et al. 2017, arXiv:1706.03825) times the number of
        samples. Each score is rounded to a multiple of 2^-40 before it is added, which makes sums
        below 2^13 exact: parts add up to the same bits however the range is split.
        """
        (total,) = self._tallied((Piece(plan, image, start, stop),), Total)
        return total

    def _tallied(
        self, pieces: Sequence[Piece], make: Callable[[Piece], Tally[Result]]
    ) -> list[Result]:
        """What the tallies of all pieces say."""
        rows = self._rows(pieces)
        tallies = [make(piece) for piece in pieces]
        for piece, scores, logits in rows:
            tallies[piece].add(scores, logits)
        return [each.result() for each in tallies]

    def _rows(self, pieces: Sequence[Piece]) -> Iterator[tuple[int, Tensor, Tensor]]:
        """A piece's number, scores (n, features) and logits (n, classes), n ≤ lanes, in order of
        pieces and of their samples. The pieces are checked before the first is asked for."""
        self.check(pieces)
        return self._seen(pieces) if pieces else iter(())

    def _seen(self, pieces: Sequence[Piece]) -> Iterator[tuple[int, Tensor, Tensor]]:
        recipe = pieces[0].plan.recipe
        of = passing(self.at(recipe.precision), recipe.attribution)
        fillers = [filler(piece.plan, piece.image, of) for piece in pieces]
        for runs in batches([range(piece.start, piece.stop) for piece in pieces], recipe.lanes):
            given = self._noisy(runs, fillers, recipe.lanes).permute(0, 3, 1, 2).to(of.dtype)
            maps, logits = of.run(given, self._targets(runs, pieces, recipe.lanes))
            for run in runs:
                cell = pieces[run.piece].plan.recipe.cell
                yield run.piece, cell_scores(maps[run.lanes], cell), logits[run.lanes]

    def _noisy(self, runs: Sequence[Run], fillers: Sequence[Fill], lanes: int) -> Tensor:
        """What the pass is given of one batch, (lanes, height, width, channels). Lanes without a
        sample repeat the first; what they hold changes nothing."""
        size = self.card.size
        shape, device = (lanes, size, size, 3), self.network.device
        noisy = torch.empty(shape, dtype=torch.float32, device=device)
        for run in runs:
            fillers[run.piece](run.samples, noisy[run.lanes])
        noisy[runs[-1].lanes.stop :] = noisy[0]
        return noisy

    def _targets(self, runs: Sequence[Run], pieces: Sequence[Piece], lanes: int) -> Tensor:
        """The class that each lane's map is about, (lanes,) int64."""
        targets = torch.zeros(lanes, dtype=torch.int64)
        for run in runs:
            targets[run.lanes] = pieces[run.piece].plan.target
        return targets.to(self.network.device)

    def check(self, pieces: Sequence[Piece]) -> None:
        """Raise ValueError as `together` does."""
        for piece in pieces:
            self._check_piece(piece, pieces[0].plan)

    def _check_piece(self, piece: Piece, first: Plan) -> None:
        self._check_plan(piece.plan, piece.image)
        in_order = 0 <= piece.start <= piece.stop < 1 << 63
        asked = f"{piece.start}…{piece.stop}"
        self._check("sample range", asked, in_order, "0 ≤ start ≤ stop < 2^63")
        others, wanted = company(piece.plan), company(first)
        self._check("company", others, others == wanted, f"{wanted} to share a batch")

    def _check_plan(self, plan: Plan, image: NDArray[np.uint8]) -> None:
        self._check_image(image)
        shape = (plan.height, plan.width, plan.channels)
        digest = images.digest(image)
        recipe, card = plan.recipe, self.card
        self._check("model", plan.model, plan.model == card.name, card.name)
        self._check("weights", plan.weights, plan.weights == card.weights, card.weights)
        self._check("image size", shape, shape == image.shape, str(image.shape))
        self._check("image digest", plan.image, plan.image == digest, digest)
        known = ", ".join(map(str, card.batches))
        self._check("lanes", recipe.lanes, recipe.lanes in card.batches, f"one of {known}")
        self._check_attribution(recipe.attribution, recipe.precision)
        in_range = plan.target in range(len(card.classes))
        self._check("target", plan.target, in_range, f"a class index below {len(card.classes)}")

    def at(self, precision: str) -> Network:
        """The network in this precision, made when it is first asked for."""
        if precision not in self._networks:
            self._networks[precision] = self.network.at(precision)
        return self._networks[precision]

    def _check_attribution(self, name: str, precision: str) -> None:
        known, fit = self.card.attributions, precisions(name)
        self._check("attribution", name, name in known, " or ".join(known))
        self._check("precision", precision, precision in fit, f"{' or '.join(fit)} for {name}")

    def _check_image(self, image: NDArray[np.uint8]) -> None:
        wanted = (self.card.size, self.card.size, 3)
        fits = image.dtype == np.uint8 and image.shape == wanted
        self._check("image", f"{image.dtype} {image.shape}", fits, f"uint8 {wanted}")

    @staticmethod
    def _check(field: str, value: object, holds: bool, rule: str) -> None:
        if not holds:
            raise ValueError(f"{field} is {value}; it must be {rule}")
