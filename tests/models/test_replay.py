"""Replays: nothing differs where nothing should, and every planted difference is counted."""

from dataclasses import replace
from hashlib import sha256
from io import BytesIO

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from certify.document import dumps
from certify.evidence import Evidence
from certify.plan import Plan, Question
from certify.reading import Document, loads
from models import images
from models.identity import Mismatch
from models.replay import Replay, compare, one_thread, replay
from models.sampling import Sampler
from tests.composed import composed

SAMPLES = 100


def photo_of(pixels: NDArray[np.uint8]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    return (np.arange(16 * 16 * 3).reshape(16, 16, 3) * 7 % 251).astype(np.uint8)


@pytest.fixture
def about(sampler: Sampler, picture: NDArray[np.uint8], plan: Plan) -> Plan:
    """A plan about the tiny network and the picture."""
    card = sampler.card
    recipe = replace(plan.recipe, cell=2, votes=9, lanes=card.lanes)
    return Plan(card.name, card.weights, images.digest(picture), 16, 16, 3, 3, recipe, plan.key)


@pytest.fixture
def evidence(sampler: Sampler, about: Plan, picture: NDArray[np.uint8]) -> Evidence:
    return sampler.draw(about, picture, 0, SAMPLES)


def document(plan: Plan, evidence: Evidence, file: bytes) -> Document:
    question = Question(9, SAMPLES, 0.001, "anytime", "2")
    made = composed(plan, question, evidence, label="three", file=sha256(file).hexdigest())
    return loads(dumps(made))


def planted(evidence: Evidence, votes: int, predictions: int) -> Evidence:
    """The evidence with one vote moved in each of the last `votes` samples, and so on."""
    bits = np.unpackbits(evidence.votes, axis=1, count=evidence.features).astype(bool)
    for row in bits[SAMPLES - votes :]:
        row[np.flatnonzero(row)[0]], row[np.flatnonzero(~row)[-1]] = False, True
    classes = evidence.predictions.copy()
    classes[:predictions] += 1
    return Evidence.from_votes(0, bits, classes)


def quiet(done: int, total: int) -> None: ...


def run(made: Document, photo: bytes) -> Replay:
    return replay(made, photo, max_pixels=1000, device="auto", progress=quiet)


def test_on_the_same_machine_nothing_differs(
    about: Plan, evidence: Evidence, picture: NDArray[np.uint8]
) -> None:
    steps: list[tuple[int, int]] = []
    photo = photo_of(picture)
    found = replay(
        document(about, evidence, photo),
        photo,
        max_pixels=1000,
        device="cpu",
        progress=lambda *step: steps.append(step),
    )
    assert found == Replay(SAMPLES, SAMPLES * 9, 0, 0, "votes", True, True) and found.holds
    assert steps == [(64, 100), (100, 100)]


def test_points_are_drawn_again_and_compared_in_sums(
    about: Plan, picture: NDArray[np.uint8], sampler: Sampler
) -> None:
    by_points = replace(about, recipe=replace(about.recipe, score="linear"))
    drawn, photo = sampler.draw(by_points, picture, 0, SAMPLES), photo_of(picture)
    found = run(document(by_points, drawn, photo), photo)
    total = SAMPLES * 9 * 10 // 2
    assert found == Replay(SAMPLES, total, 0, 0, "points", False, True) and found.holds
    moved = replace(drawn, counts=drawn.counts + np.array([600, -600] + [0] * 62))
    assert not compare(sampler, by_points, picture, moved, True, quiet).holds


@pytest.mark.parametrize(
    ("votes", "predictions", "holds"), [(1, 0, True), (9, 1, True), (10, 0, False), (0, 2, False)]
)
def test_planted_differences_are_counted(
    sampler: Sampler,
    about: Plan,
    evidence: Evidence,
    picture: NDArray[np.uint8],
    votes: int,
    predictions: int,
    holds: bool,
) -> None:
    other = planted(evidence, votes, predictions)
    found = compare(sampler, about, picture, other, True, quiet)
    assert (found.votes_differ, found.predictions_differ) == (votes, predictions)
    assert found.holds is holds


def test_another_key_is_found_out(
    sampler: Sampler, about: Plan, evidence: Evidence, picture: NDArray[np.uint8]
) -> None:
    other = replace(about, key="f" * 32)
    found = compare(sampler, other, picture, evidence, True, quiet)
    assert found.votes_differ > 20 and not found.holds


def test_counts_alone_give_the_least_number_that_differs(
    sampler: Sampler, about: Plan, picture: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("certify.evidence.VOTES_FEATURES", 10)
    evidence = sampler.draw(about, picture, 0, SAMPLES)
    assert evidence.votes is None
    found = compare(sampler, about, picture, evidence, True, quiet)
    assert (found.votes_differ, found.single) == (0, False)
    counts = evidence.counts.copy()
    counts[np.argmax(counts)] -= 4
    counts[np.argmin(counts)] += 4
    found = compare(sampler, about, picture, replace(evidence, counts=counts), True, quiet)
    assert found.votes_differ == 4


def test_another_picture_or_other_weights_are_refused(
    about: Plan, evidence: Evidence, picture: NDArray[np.uint8]
) -> None:
    made = document(about, evidence, b"")
    other = picture.copy()
    other[3, 4, 1] ^= 1
    with pytest.raises(Mismatch, match=f"the document is about {about.image}"):
        run(made, photo_of(other))
    elsewhere = replace(made, plan=replace(about, weights="a" * 64))
    with pytest.raises(Mismatch, match="weights of digits-tiny are"):
        run(elsewhere, photo_of(picture))


def test_the_same_picture_in_another_file_is_told_apart(
    about: Plan, evidence: Evidence, picture: NDArray[np.uint8]
) -> None:
    found = run(document(about, evidence, b"another file"), photo_of(picture))
    assert found.holds and not found.same_file


def test_one_thread_is_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
