"""Losses of saliency, smoothing and alignment by hand, and the slopes that attacks climb."""

import math

import pytest
import torch
from torch import Tensor

from models.training.adversarial import losses
from models.training.alignment import Angles, alignment, angles, hardest, largest
from models.training.ascent import Ball, ascend, inside
from models.training.draws import Draws, Purpose
from models.training.pupil import Pupil
from models.training.salient import lowered, salient_share
from models.training.semantic import Smoothing, flipped, shared_evidence, slopes
from tests.models.curved import LABELS, SHAPE, curved_pupil, pictures


@pytest.fixture
def pupil() -> Pupil:
    return curved_pupil()


@pytest.fixture
def clean() -> Tensor:
    return pictures()


@pytest.mark.parametrize(
    ("epoch", "share"), [(0, 0.0), (10, 0.4), (20, 0.64), (50, 0.92224), (100, 0.9939533824)]
)
def test_share_of_the_salient_grows_as_released(epoch: int, share: float) -> None:
    assert salient_share(epoch, 0.6) == pytest.approx(share, abs=1e-12)
    assert salient_share(epoch, 1.0) == 0


def test_share_refuses_a_base_beyond_one() -> None:
    with pytest.raises(ValueError, match=r"base is 1\.5; it must lie in \[0, 1\]"):
        salient_share(3, 1.5)


def test_sat_lowers_what_is_salient_by_hand() -> None:
    clean = torch.tensor([100.0, 100, 4, 250, 100, 100]).view(1, 1, 2, 3)
    saliency = torch.tensor([1.0, -1, 1, -1, 1, 0.5]).view(1, 1, 2, 3)
    picks = torch.tensor([0.0, 0, 0, 0, 0.9, 0]).view(1, 1, 2, 3)
    signs = torch.full_like(clean, -1)
    made = lowered(clean, clean, saliency, 0.5, picks, signs, 8.0)
    assert made.flatten().tolist() == [92, 108, 0, 255, 108, 96]


def test_sat_after_a_random_start_stays_in_the_ball(clean: Tensor) -> None:
    """The released code leaves it by up to as much again."""
    start = clean + 8
    ones = torch.ones_like(clean)
    made = lowered(start, clean, -ones, 1.0, 0 * ones, ones, 8.0)
    assert torch.equal(made, inside(clean + 8, clean, 8))


def test_smoothed_cross_entropy_has_the_slope_of_the_notes(pupil: Pupil, clean: Tensor) -> None:
    """d/dz_k of - Σ t_k log p_k is p_k - t_k; what is climbed has its gradient in the picture."""
    smoothing = Smoothing(0.3, flips=True)
    logits = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3]], requires_grad=True)
    targets = smoothing.targets(LABELS, 3)
    assert torch.allclose(targets.sum(1), torch.ones(2))
    loss = -(targets * logits.log_softmax(1)).sum()
    (exact,) = torch.autograd.grad(loss, logits)
    assert torch.allclose(slopes(logits.detach(), LABELS, smoothing), exact, atol=1e-7)

    free = clean.clone().requires_grad_()
    whole = -(smoothing.targets(LABELS, 3) * pupil.calm(free).log_softmax(1)).sum()
    (wanted,) = torch.autograd.grad(whole, free)
    values = shared_evidence(pupil.calm, LABELS, smoothing)
    (found,) = torch.autograd.grad(values(free).sum(), free)
    assert torch.allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize(("share", "probability"), [(0.1, 0.91), (0.3, 0.73), (0.5, 0.55)])
def test_the_true_class_flips_where_the_notes_say(share: float, probability: float) -> None:
    """Ten classes: above 1 - s + s/10 the step raises confidence; s = 0.5, p = 0.7 gives +0.15."""
    smoothing, label = Smoothing(share, flips=True), torch.tensor([0])
    for moved, flips in ((-1e-3, False), (1e-3, True)):
        own = probability + moved
        logits = torch.tensor([[own] + [(1 - own) / 9] * 9]).log()
        assert bool(flipped(logits, label, smoothing)) is flips
        assert bool(slopes(logits, label, smoothing)[0, 0] > 0) is flips
        assert slopes(logits, label, Smoothing(share))[0, 0] <= 0


def test_the_flip_of_the_notes_to_the_digit() -> None:
    logits = torch.tensor([[0.7] + [0.3 / 9] * 9]).log()
    steep = slopes(logits, torch.tensor([0]), Smoothing(0.5, flips=True))
    assert float(steep[0, 0]) == pytest.approx(0.15, abs=1e-6)


def test_without_smoothing_spat_climbs_the_cross_entropy(pupil: Pupil, clean: Tensor) -> None:
    ball = Ball(8, 2, 5)
    plain = ascend(losses(pupil.calm, LABELS), clean, torch.zeros_like(clean), ball)
    ours = shared_evidence(pupil.calm, LABELS, Smoothing(0.0))
    assert torch.allclose(ascend(ours, clean, torch.zeros_like(clean), ball), plain, atol=1e-9)


def test_smoothing_pushes_rare_rivals_down() -> None:
    """One-hot labels raise every rival; smoothed ones lower those with p_k < s/K."""
    logits = torch.tensor([[0.6, 0.39, 0.01]]).log()
    label = torch.tensor([0])
    assert (slopes(logits, label, Smoothing(0.0))[0, 1:] > 0).all()
    assert slopes(logits, label, Smoothing(0.3))[0, 2] < 0


@pytest.mark.parametrize("confidence", [0.1, 0.5, 0.85])
def test_of_two_classes_spat_steps_where_pgd_does(confidence: float) -> None:
    """p - t is (p_y - t_y) times (1, -1): until p_y exceeds t_y = 0.9, only its size is less."""
    logits = torch.tensor([[math.log(confidence), math.log(1 - confidence)]])
    ours = slopes(logits, torch.tensor([0]), Smoothing(0.2))
    plain = slopes(logits, torch.tensor([0]), Smoothing(0.0))
    assert torch.equal(ours.sign(), plain.sign())
    assert (ours.abs() < plain.abs()).all()


def test_alignment_by_hand() -> None:
    seen = Angles(torch.tensor([0.5]), torch.tensor([1.5]))
    assert float(alignment(seen)) == pytest.approx(math.log(1 + math.exp(-1)))
    other = Angles(torch.tensor([0.7]), torch.tensor([1.0]))
    assert hardest(seen, other) == Angles(torch.tensor([0.7]), torch.tensor([1.0]))


def test_angles_of_a_linear_network_are_those_of_its_rows(clean: Tensor) -> None:
    rows = Draws(3, 0, 0, (0, 1, 2)).normal(Purpose.PARAMETERS, SHAPE).double()
    rows[0] = clean[0]  # the first class aligns with the first picture
    seen = angles(lambda p: torch.einsum("nijc,kijc->nk", p, rows), clean, torch.tensor([0, 0]))
    assert float(seen.own[0]) == pytest.approx(0, abs=1e-9)
    cosine = torch.nn.functional.cosine_similarity
    other = cosine(clean[1].flatten(), rows[0].flatten(), dim=0)
    assert float(seen.own[1]) == pytest.approx(1 - float(other))
    marks = largest(lambda p: torch.einsum("nijc,kijc->nk", p, rows), clean, LABELS, 5)
    assert marks.flatten(1).sum(1).tolist() == [5, 5]
    top = rows[2].abs().flatten().topk(5).indices
    assert marks[1].flatten()[top].sum() == 5
