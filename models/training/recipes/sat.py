"""SAT alone, with PGD and with TRADES, and its control without saliency (base 1).

With an attack, each batch throws a coin: heads takes SAT's pictures, tails the attack's. Where the
released code starts from a random point and adds SAT's step to it, so do we, but then cut to the
ball, which it leaves. With TRADES it weighs the divergence 1 against 6 of its baseline; here both
weigh the same, so that they can be compared.

Reference: Sarkar, Sarkar & Balasubramanian (2020), "Saliency-driven Adversarial Training", ECML.
"""

from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor, zeros_like
from torch.nn.functional import cross_entropy

from models.loading import Network
from models.registry import Card, card
from models.training.adversarial import trades
from models.training.draws import Purpose
from models.training.lesson import Batch, Lacking, Outcome
from models.training.pupil import Pupil
from models.training.recipes.pgd import Pgd, started
from models.training.recipes.trades import Trades
from models.training.salient import lowered, salient_share
from models.training.teachers import TEACHINGS

SOURCES = ("annotation", *TEACHINGS, "none")
COMPANIONS = ("alone", "pgd", "trades")


@dataclass(frozen=True)
class Sat:
    """Cross-entropy where the salient was lowered.

    source: annotation (masks or boxes of the data set), guided_backprop, grad_cam_plus_plus or
    smoothgrad (of `teacher`, the name of a model), or none: random signs alone, the control arm.
    base: a of p_t = 1 - a^(t/10). bound: ℓ∞ grey levels, length and steps: of the companion's
    attack; weight: of the divergence with TRADES.
    """

    source: str = "annotation"
    teacher: str = ""
    companion: str = "alone"
    base: float = 0.6
    bound: float = 8.0
    length: float = 2.0
    steps: int = 5
    weight: float = 6.0

    def __post_init__(self) -> None:
        for name, known in (("source", SOURCES), ("companion", COMPANIONS)):
            if (given := getattr(self, name)) not in known:
                raise ValueError(f"{name} is {given!r}; it must be one of {', '.join(known)}")
        if (self.source in TEACHINGS) != bool(self.teacher):
            rule = f"{', '.join(TEACHINGS)} need the name of a model, the others have none"
            raise ValueError(f"teacher is {self.teacher!r} with source {self.source}: {rule}")
        salient_share(0, self.base)

    def __call__(self, pupil: Pupil, batch: Batch) -> Outcome:
        """CE(f(x'), y); with TRADES CE(f(x), y) + weight · KL(f(x) ‖ f(x'))."""
        heads = self.companion == "alone" or batch.draws.coin()
        there = self.lowered(pupil, batch) if heads else self._attacked(pupil, batch)
        said = {"salient_batches": batch.pictures.new_tensor(float(heads))}
        if self.companion == "trades":
            clean = pupil(batch.pictures)
            return Outcome(trades(clean, pupil(there), batch.labels, self.weight), said)
        return Outcome(cross_entropy(pupil(there), batch.labels), said)

    def lowered(self, pupil: Pupil, batch: Batch) -> Tensor:
        """x', by saliency alone."""
        clean, draws = batch.pictures, batch.draws
        start = clean + started(batch, self.bound) if self.companion == "pgd" else clean
        share = 0.0 if self.source == "none" else salient_share(draws.epoch, self.base)
        picks = draws.uniform(Purpose.PICK, batch.shape).to(clean)
        signs = draws.signs(Purpose.SIGN, batch.shape).to(clean)
        return lowered(start, clean, self._saliency(batch), share, picks, signs, self.bound)

    def _saliency(self, batch: Batch) -> Tensor:
        if self.source == "none":
            return zeros_like(batch.pictures)
        if self.source in TEACHINGS:
            teacher = _network(card(self.teacher), str(batch.pictures.device))
            return TEACHINGS[self.source](teacher, batch.pictures, batch.draws)
        if batch.saliency is None:
            raise Lacking("source is annotation, but this data set has no masks or boxes")
        return batch.saliency

    def _attacked(self, pupil: Pupil, batch: Batch) -> Tensor:
        sizes = (self.bound, self.length, self.steps)
        if self.companion == "pgd":
            return Pgd(*sizes).attacked(pupil, batch)
        return Trades(*sizes, self.weight).attacked(pupil, batch)


@lru_cache(maxsize=4)
def _network(known: Card, device: str) -> Network:
    return Network(known, device)
