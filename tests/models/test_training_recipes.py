"""Every recipe on the tiny network: what it sees stays in its ball and what it says is a loss."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from models.attribution.twins import Unsupported
from models.loading import Network, build, read_weights
from models.registry import card
from models.training.ascent import WHITE
from models.training.draws import Draws
from models.training.lesson import Batch, Lacking
from models.training.pupil import Pupil, shared_twin
from models.training.recipes import RECIPES
from models.training.recipes.art import Art
from models.training.recipes.contrast import Contrast
from models.training.recipes.noise import Noise
from models.training.recipes.pgd import Pgd
from models.training.recipes.rar import Rar
from models.training.recipes.sat import Sat
from models.training.recipes.spat import Spat
from models.training.recipes.standard import Standard
from models.training.recipes.trades import Trades
from models.training.teachers import TEACHINGS, grad_cam_plus_plus, scaled, smoothgrad

ATTACKS = [Pgd(steps=3), Trades(steps=3), Spat(steps=3), Rar(steps=2), Art(steps=2)]


@pytest.fixture
def pupil() -> Pupil:
    known = card("digits-tiny")
    module = build(known, read_weights(known)).requires_grad_(True)
    return Pupil(module, known.mean, known.std)


@pytest.fixture(scope="module")
def batch(digits: NDArray[np.uint8]) -> Batch:
    pictures = torch.from_numpy(digits[:4]).float()
    saliency = torch.ones(4, 16, 16, 1)
    saliency[:, :, 8:] = -1
    return Batch(pictures, torch.arange(4), Draws(3, 12, 0, (0, 1, 2, 3)), saliency)


@pytest.mark.parametrize("name", list(RECIPES))
def test_recipe_gives_a_loss_that_can_be_lowered(name: str, pupil: Pupil, batch: Batch) -> None:
    recipe = RECIPES[name]
    short = {"steps": 2, "points": 2, "attack_points": 2}
    known = {field.name for field in fields(recipe)}  # type: ignore[arg-type]
    recipe = replace(recipe, **{n: v for n, v in short.items() if n in known})  # type: ignore[type-var]
    outcome = recipe(pupil, batch)
    assert outcome.loss.shape == () and outcome.loss.isfinite()
    slopes = torch.autograd.grad(outcome.loss, pupil.parameters)
    assert all(slope.isfinite().all() for slope in slopes)
    assert any((slope != 0).any() for slope in slopes)


def test_standard_is_the_mean_cross_entropy(pupil: Pupil, batch: Batch) -> None:
    loss = Standard()(pupil, batch).loss
    assert torch.equal(loss, cross_entropy(pupil(batch.pictures), batch.labels))


@pytest.mark.parametrize("recipe", ATTACKS, ids=lambda recipe: type(recipe).__name__)
def test_attacks_stay_in_their_ball_and_move(recipe: Pgd, pupil: Pupil, batch: Batch) -> None:
    there = recipe.attacked(pupil, batch)
    assert (there - batch.pictures).abs().max() <= recipe.bound + 1e-4
    assert there.min() >= 0 and there.max() <= WHITE
    assert not torch.equal(there, batch.pictures)
    assert torch.equal(there, recipe.attacked(pupil, batch)), "an attack is a function"


def loss(pupil: Pupil, pictures: Tensor, labels: Tensor) -> float:
    return float(cross_entropy(pupil.calm(pictures), labels).detach())


def test_pgd_raises_the_loss(pupil: Pupil, batch: Batch) -> None:
    there = Pgd(bound=40, length=10).attacked(pupil, batch)
    assert loss(pupil, there, batch.labels) > 5 * loss(pupil, batch.pictures, batch.labels)


@pytest.mark.parametrize(("certainty", "sure"), [(1.0, True), (0.05, False)])
def test_spat_attacks_the_unsure_and_reassures_the_sure(
    certainty: float, sure: bool, pupil: Pupil, batch: Batch
) -> None:
    """Cutting the flip of the true class leaves rivals below s/K pushed down: half of the trap."""
    last = pupil.module.get_submodule("classifier")
    last.weight.data *= certainty  # type: ignore[operator, union-attr]
    last.bias.data *= certainty  # type: ignore[operator, union-attr]
    recipe = Spat(bound=40, length=10)
    there = recipe.attacked(pupil, batch)
    clean = loss(pupil, batch.pictures, batch.labels)
    assert (loss(pupil, there, batch.labels) < clean) is sure
    assert (float(recipe(pupil, batch).said["reassured"]) > 0.5) is sure


def test_noise_is_that_of_certificates(batch: Batch) -> None:
    noisy = Noise((0.25,)).noisy(batch)
    noise = noisy - batch.pictures
    assert torch.equal(noise, noise.round()), "whole grey levels"
    assert float(noise.std()) == pytest.approx(0.25 * 255, rel=0.05)
    assert torch.equal(noise[1], torch.from_numpy(batch.draws.noise(0.25, 1, batch.shape)).float())
    assert torch.equal(Noise((0.0,)).noisy(batch), batch.pictures)


def test_noise_of_several_scales_takes_each(pupil: Pupil, digits: NDArray[np.uint8]) -> None:
    pictures = torch.from_numpy(digits).float()
    many = Batch(pictures, torch.arange(10), Draws(3, 0, 0, tuple(range(10))))
    spreads = (Noise((0.0, 0.5)).noisy(many) - pictures).flatten(1).std(dim=1)
    assert {round(float(s) / 255, 1) for s in spreads} == {0.0, 0.5}


# Not grad_cam_plus_plus, whose layer digits-tiny has not; it is tested by hand below.
@pytest.mark.parametrize("source", ["guided_backprop", "smoothgrad", "annotation", "none"])
@pytest.mark.parametrize("companion", ["alone", "pgd"])
def test_sat_stays_in_its_ball(source: str, companion: str, pupil: Pupil, batch: Batch) -> None:
    teacher = "digits-tiny" if source in TEACHINGS else ""
    made = Sat(source, teacher, companion).lowered(pupil, batch)
    assert (made - batch.pictures).abs().max() <= 8 + 1e-4
    assert made.min() >= 0 and made.max() <= WHITE


def test_sat_moves_more_of_the_salient_as_training_goes_on(pupil: Pupil, batch: Batch) -> None:
    """In the grey inside of a mask, p_t + (1 - p_t)/2 of the values are lowered."""
    grey = replace(batch, pictures=torch.full((4, 16, 16, 3), 100.0))
    for epoch, share in ((0, 0.0), (10, 0.4), (50, 0.922)):
        at = replace(grey, draws=replace(batch.draws, epoch=epoch))
        moved = Sat().lowered(pupil, at) - at.pictures
        inside = (moved[:, :, :8] < 0).float().mean()
        outside = (moved[:, :, 8:] > 0).float().mean()
        for seen in (inside, outside):
            assert float(seen) == pytest.approx(share + (1 - share) / 2, abs=0.04)


def test_the_control_of_sat_is_random_signs(pupil: Pupil, batch: Batch) -> None:
    grey = replace(batch, pictures=torch.full((4, 16, 16, 3), 100.0), saliency=None)
    moved = Sat("none").lowered(pupil, grey) - grey.pictures
    assert set(moved.unique().tolist()) == {-8.0, 8.0}
    assert abs(float(moved.mean())) < 1
    assert torch.equal(
        Sat(base=1.0).lowered(pupil, replace(grey, saliency=batch.saliency)) - 100, moved
    )


def test_sat_without_annotations_says_so(pupil: Pupil, batch: Batch) -> None:
    with pytest.raises(Lacking, match="this data set has no masks or boxes"):
        Sat()(pupil, replace(batch, saliency=None))


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"source": "gradient"}, "source is 'gradient'; it must be one of annotation, guided"),
        ({"companion": "awp"}, "companion is 'awp'; it must be one of alone, pgd, trades"),
        ({"source": "smoothgrad"}, "teacher is '' with source smoothgrad"),
        ({"teacher": "digits-tiny"}, "teacher is 'digits-tiny' with source annotation"),
        ({"base": -0.1}, r"base is -0.1; it must lie in \[0, 1\]"),
    ],
)
def test_sat_refuses_contradictions(wrong: dict[str, str], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Sat(**wrong)  # type: ignore[arg-type]


def test_sat_with_an_attack_takes_both_kinds_of_batches(pupil: Pupil, batch: Batch) -> None:
    recipe = Sat(companion="pgd", steps=1)
    heads = {
        float(
            recipe(pupil, replace(batch, draws=replace(batch.draws, batch=b))).said[
                "salient_batches"
            ]
        )
        for b in range(12)
    }
    assert heads == {0.0, 1.0}


def test_spat_says_how_many_would_flip(pupil: Pupil, batch: Batch) -> None:
    """The network is sure of these digits, so smoothed labels would raise its confidence."""
    said = Spat(steps=1)(pupil, batch).said
    assert float(said["flipped"]) == 1.0


def test_contrast_terms_add_up(pupil: Pupil, batch: Batch) -> None:
    both = Contrast(points=2, steps=1, weight=0.5)(pupil, batch)
    alone = Contrast(cacr=False, points=2, steps=1, weight=0.5)(pupil, batch)
    said = {name: float(value.detach()) for name, value in both.said.items()}
    whole = said["cross_entropy"] + 0.5 * (said["cacr"] + said["wacr"])
    assert float(both.loss.detach()) == pytest.approx(whole, rel=1e-5)
    assert float((both.loss - alone.loss).detach()) == pytest.approx(0.5 * said["cacr"], abs=1e-5)


def test_a_gain_makes_contrast_count(pupil: Pupil, batch: Batch) -> None:
    """As released the term is flat; in units of the maps' mean it is of the size of a loss."""
    flat, sharp = (
        float(Contrast(points=2, steps=1, gain=gain)(pupil, batch).said["cacr"].detach())
        for gain in (1.0, 256.0)
    )
    assert abs(flat) < 1e-3 < 0.1 < abs(sharp)


def test_batch_norms_learn_from_the_loss_and_not_from_attacks(pupil: Pupil, batch: Batch) -> None:
    norm = pupil.module.get_submodule("features.1")
    before = norm.running_mean.clone()  # type: ignore[operator, union-attr]
    Pgd(steps=2).attacked(pupil, batch)
    assert torch.equal(norm.running_mean, before)  # type: ignore[arg-type]
    Pgd(steps=2)(pupil, batch)
    assert not torch.equal(norm.running_mean, before)  # type: ignore[arg-type]


def test_calm_pictures_do_not_see_each_other(pupil: Pupil, batch: Batch) -> None:
    whole = pupil.calm(batch.pictures)
    assert torch.allclose(whole[:1], pupil.calm(batch.pictures[:1]), atol=1e-4)


def test_smooth_twin_shares_what_is_learned(pupil: Pupil, batch: Batch) -> None:
    twin = shared_twin(pupil.module, 50.0)
    ours = dict(pupil.module.named_parameters())
    assert all(parameter is ours[name] for name, parameter in twin.named_parameters())
    (slope,) = torch.autograd.grad(
        pupil.smooth(50.0)(batch.pictures).sum(), ours["classifier.weight"]
    )
    assert (slope != 0).any()
    near = pupil.smooth(1e4)(batch.pictures)
    assert torch.allclose(near, pupil.calm(batch.pictures), atol=1e-2)


@pytest.fixture
def mixed(pupil: Pupil) -> Pupil:
    """The same network over the same parameters, in bfloat16."""
    known = card("digits-tiny")
    return Pupil(pupil.module, known.mean, known.std, mixed=True)


def test_mixed_precision_is_bfloat16_inside(pupil: Pupil, mixed: Pupil, batch: Batch) -> None:
    inside: list[torch.dtype] = []
    last = pupil.module.get_submodule("classifier")
    last.register_forward_hook(lambda part, given, made: inside.append(made.dtype))
    whole, half = pupil.calm(batch.pictures), mixed.calm(batch.pictures)
    assert inside == [torch.float32, torch.bfloat16]
    assert half.dtype == torch.float32 and not torch.equal(whole, half)
    # bfloat16 has 8 bits; three layers of it lose a few of them.
    assert (whole - half).abs().max() < 0.03 * (whole.max() - whole.min())
    assert all(parameter.dtype == torch.float32 for parameter in mixed.parameters)


@pytest.mark.parametrize("recipe", [Standard(), Contrast(steps=2, points=2)], ids=["plain", "deep"])
def test_mixed_precision_learns_in_the_same_direction(
    recipe: Standard | Contrast, pupil: Pupil, mixed: Pupil, batch: Batch
) -> None:
    """Once and twice differentiated, so that regularizers of attributions are covered."""
    made = []
    for each in (pupil, mixed):
        slopes = torch.autograd.grad(recipe(each, batch).loss, each.parameters)
        assert all(slope.dtype == torch.float32 for slope in slopes)
        made.append(torch.cat([slope.flatten() for slope in slopes]))
    assert torch.nn.functional.cosine_similarity(made[0], made[1], dim=0) > 0.9


def test_smoothgrad_of_a_linear_teacher_is_its_row(batch: Batch, as_network) -> None:  # type: ignore[no-untyped-def]
    """Noise changes nothing there: the map is the predicted class's row, scaled to [0, 1]."""
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 3))
    teacher = as_network(linear, 16)
    made = smoothgrad(teacher, batch.pictures, batch.draws)
    predicted = teacher(batch.pictures).argmax(1)
    rows = linear[1].weight.detach()[predicted].view(4, 3, 16, 16).permute(0, 2, 3, 1)
    assert torch.allclose(made, scaled(rows), atol=1e-4)


def test_grad_cam_plus_plus_by_hand(as_network) -> None:  # type: ignore[no-untyped-def]
    """One channel A, logit = 2 Σ A: g = 2, a = 4 / (8 + 8 ΣA), so the map is A scaled."""
    part = torch.nn.Sequential(torch.nn.Conv2d(3, 1, 1, bias=False), torch.nn.Flatten())
    whole = torch.nn.Sequential(part, torch.nn.Linear(16, 1, bias=False))
    part[0].weight.data = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    whole[1].weight.data.fill_(2.0)
    teacher: Network = as_network(whole, 4)
    teacher.card = replace(teacher.card, cam_layer="0.0")
    pictures = torch.arange(48.0).view(1, 4, 4, 3)
    made = grad_cam_plus_plus(teacher, pictures, Draws(0, 0, 0, (0,)))
    assert torch.allclose(made, scaled(pictures[..., :1]), atol=1e-6)


def test_grad_cam_plus_plus_needs_its_layer(tiny: Network, batch: Batch) -> None:
    with pytest.raises(Unsupported, match="its card must name the layer of Grad-CAM"):
        grad_cam_plus_plus(tiny, batch.pictures, batch.draws)
