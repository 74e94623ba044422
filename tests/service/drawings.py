"""Jobs that draw, and a worker with the fake network that answers what a dispatch hands out."""

from collections import Counter
from dataclasses import replace

from service.pool.chunks import pieces
from service.pool.dispatch import message
from service.pool.messages import (
    Array,
    Average,
    Averaged,
    Draw,
    Drawn,
    DrawnTogether,
    Failure,
    Ready,
    Sampled,
    Together,
)
from tests.service.fake_worker import IMAGE, Fake, plan

PICTURE = Array.of(IMAGE)
LANES = 8
READY = Ready(1, "cpu", 1, ())


def drawing(dispatch, samples, start=0, target=0, kind=Draw, **recipe):
    """A job of so many samples, cut as the pool cuts them."""
    plan_ = plan(target, lanes=recipe.pop("lanes", LANES), model=recipe.pop("model", "fake"))
    plan_ = replace(plan_, recipe=replace(plan_.recipe, **recipe))
    return dispatch.begin(pieces(kind, plan_, PICTURE, start, start + samples, dispatch.pace))


def sizes(shares):
    return [share.request.stop - share.request.start for share in shares]


def answer(request):
    """What a worker with the fake network says."""
    try:
        if isinstance(request, Together):
            return DrawnTogether(tuple(map(drawn, request.parts)))
        return drawn(request) if isinstance(request, Sampled) else READY
    except ValueError as error:
        return Failure("refused", str(error))
    except RuntimeError as error:
        return Failure("memory" if "memory" in str(error) else "error", str(error))


def drawn(part):
    if isinstance(part, Average):
        return Averaged(Array.of(Fake().average(part.plan, IMAGE, part.start, part.stop)))
    return Drawn.of(Fake().draw(part.plan, IMAGE, part.start, part.stop))


def work_off(dispatch, most=100):
    """Answer everything; how many messages were of several draws, and how many of one."""
    told = Counter()
    while most and (shares := dispatch.next()):
        dispatch.answered(shares, answer(message(shares)), "worker")
        told[len(shares) > 1] += 1
        most -= 1
    return told


async def samples(job):
    """How many samples a job's caller gets."""
    total = 0
    while not job.finished:
        _, reply = await job.read()
        total += reply.evidence().samples
    return total
