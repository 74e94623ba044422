"""The loop: interrupted is uninterrupted, bit for bit; a step is a function of its number."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.data.dataset import DataSet, Split
from models.training.assignment import Unwanted
from models.training.augment import Augmentation
from models.training.checkpoint import BadCheckpoint
from models.training.draws import Draws
from models.training.initial import initialise
from models.training.loop import CHECKPOINT, Diverged, Run, Seen, drawn
from tests.models.short_runs import SHORT


class Interrupted(Exception):
    """Stands for a lost machine."""


def interrupt_after(step: int) -> Callable[[Seen], None]:
    def report(seen: Seen) -> None:
        if seen.step == step:
            raise Interrupted

    return report


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize(
    ("recipe", "mixed"), [("noise", False), ("pgd", True), ("spat-trades", False)]
)
def test_interrupted_is_uninterrupted(
    recipe: str, mixed: bool, optimiser: str, data: DataSet, tmp_path: Path
) -> None:
    """Interrupted within an epoch, after one, and between two checkpoints."""
    settings = {} if recipe == "noise" else SHORT.settings
    asked = replace(SHORT, recipe=recipe, optimiser=optimiser, settings=settings, mixed=mixed)
    whole = Run(asked, data, tmp_path / "whole").train()
    for step in (1, 4, 7):
        with pytest.raises(Interrupted):
            Run(asked, data, tmp_path / "parts").train(interrupt_after(step), every=2)
    parts = Run(asked, data, tmp_path / "parts").train(every=2)
    assert same(whole.module, parts.module)
    assert whole.history == parts.history
    assert len(whole.history) == 2


def test_a_run_is_a_function_of_its_key(data: DataSet, tmp_path: Path) -> None:
    first, again, other = (
        Run(replace(SHORT, key=key), data, tmp_path / str(number)).train().module
        for number, key in enumerate(("0" * 31 + "1", "0" * 31 + "1", "0" * 31 + "2"))
    )
    assert same(first, again)
    assert not same(first, other)


def test_a_finished_run_is_not_run_again(data: DataSet, tmp_path: Path) -> None:
    first = Run(SHORT, data, tmp_path).train()
    steps: list[Seen] = []
    assert same(first.module, Run(SHORT, data, tmp_path).train(steps.append).module)
    assert not steps


def test_a_checkpoint_of_another_run_is_refused(data: DataSet, tmp_path: Path) -> None:
    Run(replace(SHORT, epochs=1), data, tmp_path).train()
    with pytest.raises(BadCheckpoint, match="is of another run: other settings or other data"):
        Run(replace(SHORT, epochs=1, rate=2e-2), data, tmp_path).train()
    changed = replace(data, train=Split(data.train.pictures, data.train.labels[::-1].copy()))
    with pytest.raises(BadCheckpoint, match="is of another run"):
        Run(replace(SHORT, epochs=1), changed, tmp_path).train()


def test_a_damaged_checkpoint_is_refused(data: DataSet, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"\x80\x04 no safetensors")
    with pytest.raises(BadCheckpoint, match=r"cannot be read: .*; remove it to begin again"):
        Run(SHORT, data, tmp_path).train()


def test_progress_is_reported_with_means(data: DataSet, tmp_path: Path) -> None:
    seen: list[Seen] = []
    trained = Run(replace(SHORT, recipe="spat"), data, tmp_path).train(seen.append)
    assert [each.step for each in seen] == list(range(1, 9))
    assert seen[0].steps == 8 and seen[-1].epoch == 1
    assert seen[-1].means == trained.history[-1]
    assert set(seen[0].means) == {"loss", "flipped", "reassured"}


def test_a_loss_that_is_no_number_ends_the_run(data: DataSet, tmp_path: Path) -> None:
    wild = replace(SHORT, recipe="standard", settings={}, optimiser="sgd", rate=1e30)
    with pytest.raises(Diverged, match=r"loss is (nan|inf) at step \d+; lower the rate"):
        Run(wild, data, tmp_path).train()


def test_batches_of_an_epoch_hold_every_picture_once(data: DataSet, tmp_path: Path) -> None:
    run = Run(SHORT, data, tmp_path)
    numbers = [n for step in range(run.batches) for n in run.batch(step).draws.numbers]
    assert sorted(numbers) == list(range(100))
    again = [
        n for step in range(run.batches, 2 * run.batches) for n in run.batch(step).draws.numbers
    ]
    assert sorted(again) == list(range(100)) and again != numbers


def test_augmentation_belongs_to_the_sample_not_to_the_batch(data: DataSet) -> None:
    augment, device = Augmentation(pad=2, flip=True), torch.device("cpu")
    together = np.array([3, 5, 8])
    many = drawn(data.train, together, Draws(1, 4, 0, (3, 5, 8)), augment, device)
    alone = drawn(data.train, together[1:2], Draws(1, 4, 9, (5,)), augment, device)
    assert torch.equal(many.pictures[1], alone.pictures[0])
    later = drawn(data.train, together, Draws(1, 5, 0, (3, 5, 8)), augment, device)
    assert not torch.equal(many.pictures, later.pictures)


def test_augmentation_moves_marks_with_pictures() -> None:
    pictures = np.zeros((6, 16, 16, 3), np.uint8)
    pictures[:, 4:9, 3:7] = 200
    regions = np.where(pictures[..., 0] == 200, 1, -1).astype(np.int8)
    split = Split(pictures, np.zeros(6, np.int64), regions)
    numbers = tuple(range(6))
    batch = drawn(
        split, np.arange(6), Draws(2, 0, 0, numbers), Augmentation(3, True), torch.device("cpu")
    )
    assert batch.saliency is not None
    marked = batch.saliency[..., 0] == 1
    assert torch.equal(batch.pictures[..., 0] == 200, marked)
    assert set(batch.saliency.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert len({tuple(each.flatten().tolist()) for each in marked}) > 1


def test_initial_weights_have_the_variance_of_he() -> None:
    layer = nn.Conv2d(16, 64, 3)
    initialise(layer, 5)
    assert float(layer.weight.detach().std()) == pytest.approx((2 / 144) ** 0.5, rel=0.03)
    assert layer.bias is not None and not layer.bias.any()
    with pytest.raises(ValueError, match="layer is a Bilinear; no initial weights are known"):
        initialise(nn.Bilinear(2, 2, 2), 5)


def test_an_architecture_must_take_the_pictures(data: DataSet, tmp_path: Path) -> None:
    with pytest.raises(Unwanted, match="architecture is 'vgg'; it must be one of efficientnet"):
        Run(replace(SHORT, architecture="vgg"), data, tmp_path)
    large = Split(np.zeros((2, 32, 32, 3), np.uint8), np.zeros(2, np.int64))
    with pytest.raises(Unwanted, match="tiny does not take pictures of 32×32"):
        Run(SHORT, replace(data, train=large, test=large), tmp_path)
