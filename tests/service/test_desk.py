"""The desk and its device: a pulse that went through it, and memory that runs out."""

from dataclasses import replace

import pytest
import torch

from certify.plan import Plan, Recipe
from service.pool.desk import Desk, Device, is_memory
from service.pool.messages import (
    Array,
    Average,
    Averaged,
    Draw,
    Drawn,
    DrawnTogether,
    Failure,
    Look,
    Looked,
    Ping,
    Ready,
    Together,
)
from service.pool.worker_process import open_desk
from tests.service.fake_worker import IMAGE, Fake, plan

PICTURE = Array.of(IMAGE)


def test_a_ping_goes_through_the_device():
    beats = []
    desk = Desk(
        lambda name: Fake(), device="d", threads=1, hardware=Device(lambda: beats.append(1))
    )
    assert isinstance(desk.answer(Ping()), Ready) and beats == [1]


def test_a_device_that_fails_its_pulse_is_said():
    def broken():
        raise RuntimeError("CUDA error: unspecified launch failure")

    desk = Desk(lambda name: Fake(), device="d", threads=1, hardware=Device(broken))
    reply = desk.answer(Ping())
    assert isinstance(reply, Failure) and "launch failure" in reply.detail


def test_the_real_device_has_a_pulse():
    assert isinstance(open_desk("cpu").answer(Ping()), Ready)


def test_a_model_is_put_aside_for_another_that_needs_its_memory():
    """An allocator that holds one network: the second fits only without the first."""
    held, relieved = [], []

    class Network(Fake):
        def __init__(self, name):
            if len(held) > len(relieved):
                raise MemoryError
            held.append(name)

    desk = Desk(Network, device="d", threads=1, hardware=Device(relieve=lambda: relieved.append(1)))
    assert isinstance(desk.answer(Look("one", PICTURE, None)), Looked)
    assert isinstance(desk.answer(Look("two", PICTURE, None)), Looked)
    assert desk.ready().models == ("two",) and relieved == [1]


def test_memory_that_is_not_there_is_said_as_such():
    class Large(Fake):
        def draw(self, *_):
            raise MemoryError

    desk = Desk(lambda name: Large(), device="d", threads=1)
    reply = desk.answer(Draw(plan(), PICTURE, 0, 4))
    assert reply == Failure("memory", "too little memory on d")


def test_what_torch_says_when_memory_runs_out_is_understood():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_memory(caught.value)
    assert is_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert not is_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_memory(ValueError("out of memory"))


def test_a_real_network_whose_allocator_is_limited_draws_in_smaller_chunks(monkeypatch):
    """The same evidence comes from a sampler that never gets memory for more than 64 samples."""
    desk = open_desk("cpu")
    image = torch.arange(16 * 16 * 3, dtype=torch.uint8).reshape(16, 16, 3).numpy()
    sampler = desk._sampler("digits-tiny")
    whole = sampler.draw

    def limited(plan, image, start, stop):
        if stop - start > 64:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(plan, image, start, stop)

    monkeypatch.setattr(sampler, "draw", limited)
    chosen = drawing(sampler, image)

    import asyncio

    from service.pool.pools import LocalPool

    async def story():
        pool = LocalPool(lambda: desk)
        await pool.start()
        pool.pace.observe(Draw(chosen, PICTURE, 0, 10**6), 1.0)
        try:
            return await pool.draw(chosen, image, 0, 500)
        finally:
            await pool.stop()

    assert asyncio.run(story()).digest() == whole(chosen, image, 0, 500).digest()


def test_a_message_of_several_is_answered_with_what_each_gets_alone():
    desk = open_desk("cpu")
    image = torch.arange(16 * 16 * 3, dtype=torch.uint8).reshape(16, 16, 3).numpy()
    sampler = desk._sampler("digits-tiny")
    plans = [replace(drawing(sampler, image), target=target) for target in range(3)]
    asked = [
        kind(each, Array.of(image), 5, 18 + each.target)
        for each in plans
        for kind in (Draw, Average)
    ]
    reply = desk.answer(Together(tuple(asked)))
    assert isinstance(reply, DrawnTogether)
    assert [type(part) for part in reply.parts] == [Drawn, Averaged] * 3
    assert list(reply.parts) == [desk.answer(each) for each in asked]


@pytest.mark.parametrize("kinds", [(Draw, Draw), (Average, Draw), (Average, Average)])
def test_samples_of_different_passes_are_refused_in_one_message(kinds):
    desk = open_desk("cpu")
    image = torch.arange(16 * 16 * 3, dtype=torch.uint8).reshape(16, 16, 3).numpy()
    chosen = drawing(desk._sampler("digits-tiny"), image)
    strict = replace(chosen, recipe=replace(chosen.recipe, lanes=1))
    asked = zip(kinds, (chosen, strict), strict=True)
    reply = desk.answer(Together(tuple(kind(p, Array.of(image), 0, 2) for kind, p in asked)))
    assert isinstance(reply, Failure) and reply.kind == "refused" and "share" in reply.detail


def drawing(sampler, image) -> Plan:
    from models import images

    card = sampler.card
    recipe = Recipe("gaussian", 2, 0.25, "gradient", 2, 8, card.lanes, "float32")
    digest = images.digest(image)
    return Plan(card.name, card.weights, digest, 16, 16, 3, 1, recipe, "5" * 32)
