"""What a caller gets: finished maps and certificates as JSON, PNG, .npy or events."""

import base64
from collections.abc import Iterable
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from certify import stopping, wording
from certify.certificate import Certificate
from certify.document import Asked
from certify.plan import PRECISIONS
from models.attribution.methods import METHODS
from models.precision import precisions
from models.registry import Card, weights_file
from service import keys
from service.decoys.answers import decoy_report
from service.drawing import gallery
from service.edge.negotiation import NPY, PNG
from service.keys import Signer
from service.meter import curve
from service.orders import asked_kind, share
from service.pipeline import Certified, Explained
from service.pool.pools import Look
from service.results import (
    CertifyAnswer,
    Ended,
    ExplainAnswer,
    ExplainRecipe,
    Joint,
    ModelAttribution,
    ModelCard,
    ModelDefaults,
    ModelList,
    ModelSummary,
    Pictures,
    Ranked,
    Reply,
)

TOP = 5


def explanation(done: Explained, kind: str) -> bytes:
    """The body of an explanation in this content type."""
    if kind == PNG:
        return gallery.explained(done)
    if kind == NPY:
        return npy(done.scores)
    return explain_answer(done).model_dump_json().encode()


def certificate(done: Certified, kind: str, signer: Signer | None) -> bytes:
    """The body of a certificate in this content type."""
    if kind == PNG:
        return gallery.regions(done)
    if kind == NPY:
        plan = done.plan
        return npy(done.certificate.feature_radii.reshape(plan.rows, plan.columns))
    return certify_answer(done, signer).model_dump_json().encode()


def explain_answer(done: Explained) -> ExplainAnswer:
    """An explanation in numbers."""
    order, look, noise = done.order, done.look, done.order.noise
    recipe = noise.recipe if noise else None
    return ExplainAnswer(
        model=order.card.name,
        weights=order.card.weights,
        image=done.subject.digest,
        prediction=prediction(look, order.card),
        target=look.target,
        label=order.card.classes[look.target],
        method=order.method,
        recipe=ExplainRecipe(
            attribution=order.attribution,
            precision=order.precision,
            cell=order.cell,
            law=recipe.law if recipe else None,
            scale=recipe.scale if recipe else None,
            votes=recipe.votes if recipe and order.method == "renyi" else None,
            score=recipe.score if recipe and order.method == "renyi" else None,
            lanes=recipe.lanes if recipe else None,
        ),
        samples=noise.samples if noise else 0,
        key=noise.key if noise else None,
        map=done.scores.tolist(),
        overlay=_text(explanation(done, PNG)) if order.pictures else None,
        decoys=decoy_report(order.dance, done.danced) if order.dance and done.danced else None,
    )


def certify_answer(done: Certified, signer: Signer | None) -> CertifyAnswer:
    """A certificate in words and numbers, with its document, signed if there is a signer."""
    order, proven, card = done.order, done.certificate, done.order.card
    label = card.classes[done.plan.target]
    issued, signature = keys.issue(done.document, signer)
    words = wording.summary(done.plan, order.question, order.asked, proven, label)
    if done.ending is not None:
        words.append(wording.ended(order.question, proven, done.ending))
    return CertifyAnswer(
        summary=[*words, signature],
        prediction=prediction(done.look, card),
        target=done.plan.target,
        label=label,
        key=done.plan.key,
        key_origin="fresh" if order.noise.fresh else "request",
        samples=done.evidence.samples,
        strict=done.plan.recipe.lanes == 1,
        answer=_reply(order.asked, proven),
        joint=_joint(done),
        ended=_ended(done),
        curve=curve(proven),
        reported=list(proven.reported),
        certificate=issued,
        pictures=_pictures(done) if order.pictures else None,
    )


def _reply(asked: Asked, proven: Certificate) -> Reply:
    at_least, radius = wording.answer(asked, proven)
    kind = asked_kind(asked)
    return Reply(
        asked=kind,
        k=proven.k,
        at_least=at_least,
        radius=radius,
        wanted=stopping.wanted(asked, proven) if kind == "claim" else None,
        proven=stopping.proves(asked, proven) if kind == "claim" else None,
    )


def _joint(done: Certified) -> Joint | None:
    both = wording.together(done.order.asked, done.certificate)
    return both and Joint(target=done.plan.target, at_least=both[0], radius=both[1])


def _ended(done: Certified) -> Ended | None:
    ending = done.ending
    if ending is None:
        return None
    futile = ending.reason == "futile"
    return Ended(
        reason=ending.reason,
        samples=done.evidence.samples,
        budget=done.order.noise.samples,
        could_keep=ending.could_keep if futile else None,
        could_radius=ending.could_radius if futile else None,
    )


def prediction(look: Look, card: Card) -> list[Ranked]:
    """The most probable classes of the clean picture, best first."""
    best = np.argsort(-look.probabilities, kind="stable")[:TOP]
    return [
        Ranked(target=int(i), label=card.classes[i], probability=float(look.probabilities[i]))
        for i in best
    ]


def npy(array: NDArray[np.float64]) -> bytes:
    """The array as a .npy file."""
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def event(name: str, data: str) -> bytes:
    """One server-sent event; JSON has no line ends of its own."""
    return f"event: {name}\ndata: {data}\n\n".encode()


def models(cards: Iterable[Card]) -> ModelList:
    """The list of models."""
    return ModelList(
        models=[
            ModelSummary(
                name=c.name,
                title=c.title,
                summary=c.summary,
                size=c.size,
                classes=len(c.classes),
                precisions=list(PRECISIONS),
            )
            for c in cards
        ]
    )


def model(card: Card) -> ModelCard:
    """Everything about one model."""
    defaults, features = card.defaults, (card.size // card.defaults.cell) ** 2
    k = share(defaults.k_fraction, features)
    return ModelCard(
        name=card.name,
        title=card.title,
        summary=card.summary,
        architecture=card.architecture,
        weights=card.weights,
        licence=card.licence,
        origin=card.origin,
        accuracy=card.accuracy,
        size=card.size,
        labels=list(card.classes),
        precisions=list(PRECISIONS),
        layers=list(card.layers),
        attributions=[_attribution(card, name) for name in METHODS],
        defaults=ModelDefaults(
            cell=defaults.cell,
            scale=defaults.scale,
            samples=defaults.samples,
            k=k,
            votes=k,
            layer=defaults.layer,
            attribution=defaults.attribution,
            lanes=card.lanes,
        ),
        ready=weights_file(card).exists(),
    )


def _attribution(card: Card, name: str) -> ModelAttribution:
    method = METHODS[name]
    return ModelAttribution(
        name=name,
        title=method.title,
        summary=method.summary,
        source=method.source,
        passes=method.passes,
        precisions=list(precisions(name)),
        supported=name in card.attributions,
        reason=dict(card.unsupported).get(name),
    )


def _pictures(done: Certified) -> Pictures:
    overlay, regions = gallery.overlay(done), gallery.regions(done)
    return Pictures(overlay=_text(overlay), regions=_text(regions))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
