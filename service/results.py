"""What answers look like. No computed fields, so that one model is one component of the OpenAPI
document."""

from typing import Any, Literal

from pydantic import Field

from service.decoys.results import DecoyReport
from service.schemas import Method, Wire


class Ranked(Wire):
    """One class of a prediction."""

    target: int = Field(description="class index")
    label: str
    probability: float


class ExplainRecipe(Wire):
    """How the map was made; null where the method does not use it."""

    attribution: str
    precision: str
    cell: int
    law: str | None = None
    scale: float | None = None
    votes: int | None = None
    score: str | None = None
    lanes: int | None = None


class ExplainAnswer(Wire):
    """A map of what the model looked at."""

    model: str
    weights: str = Field(description="SHA-256 of the weights")
    image: str = Field(description="SHA-256 of the 8-bit picture as the model saw it")
    prediction: list[Ranked] = Field(description="the five most probable classes")
    target: int
    label: str
    method: Method
    recipe: ExplainRecipe
    samples: int = Field(description="noisy pictures drawn; 0 for a map of the clean one")
    key: str | None = Field(description="the noise's key; null where no noise was drawn")
    map: list[list[float]] = Field(description="rows x columns of scores, none negative")
    overlay: str | None = Field(None, description="base64 PNG of the map over the picture")
    decoys: DecoyReport | None = Field(None, description="null but for method dance")


class Spot(Wire):
    """One point of the curve: at least so many of the k stay within this radius."""

    at_least: int
    overlap: float
    radius: float
    route: str = Field(description="the proof that gives this radius")


class Reply(Wire):
    """The answer to what was asked."""

    asked: Literal["overlap", "radius", "claim", "curve"] = Field(
        description="claim: overlap and radius both"
    )
    k: int
    at_least: int = Field(description="so many of the k stay; 0: nothing could be proven")
    radius: float = Field(description="under any change of this size; 0: nothing could be proven")
    wanted: int | None = Field(None, description="so many of the k were asked for; of a claim")
    proven: bool | None = Field(None, description="whether the claim is proven; null if none")


class Joint(Wire):
    """Prediction and explanation at once: this class, and so many of the k, within this radius."""

    target: int
    at_least: int
    radius: float


class Ended(Wire):
    """Why sampling ended, where it was to stop early."""

    reason: Literal["proven", "futile", "spent"] = Field(
        description="proven: the claim is. futile: no outcome of the samples left could prove it. "
        "spent: all were drawn"
    )
    samples: int = Field(description="samples drawn")
    budget: int = Field(description="samples allowed")
    could_keep: int | None = Field(
        None, description="futile: the most that could be proven to stay within the asked radius"
    )
    could_radius: float | None = Field(
        None, description="futile: the radius that could be proven for the number asked for"
    )


class Pictures(Wire):
    """Base64 PNG files."""

    overlay: str
    regions: str


class CertifyAnswer(Wire):
    """A certificate, with the answer to the question in numbers and in words."""

    summary: list[str] = Field(description="the certificate in plain sentences")
    prediction: list[Ranked] = Field(description="the five most probable classes, clean picture")
    target: int
    label: str
    key: str
    key_origin: Literal["request", "fresh"]
    samples: int
    strict: bool = Field(description="whether the network saw each noisy picture alone")
    answer: Reply
    joint: Joint | None = Field(description="null unless class and regions are both proven")
    ended: Ended | None = Field(description="null unless sampling was to stop early")
    curve: list[Spot]
    reported: list[int] = Field(description="the k features, best first, numbered row by row")
    certificate: dict[str, Any] = Field(
        description="the whole document, in a DSSE envelope if the service signs; for /v1/verify"
    )
    pictures: Pictures | None = None


class Progress(Wire):
    """One `progress` event: what is drawn and, now and then, what is already proven."""

    samples: int
    total: int
    seconds: float
    seconds_left: float | None = Field(
        None,
        description="for all samples left, at this pace; sampling that may stop early may end "
        "sooner. null: not known yet",
    )
    at_least: int | None = Field(None, description="already proven: so many of the k stay")
    radius: float | None = Field(None, description="already proven: within this radius")
    proven: bool | None = Field(None, description="whether the claim is already; null if none")
    proven_samples: int | None = Field(
        None, description="after so many samples; what is proven holds whoever stops there"
    )
    curve: list[Spot] = Field(
        default_factory=list, description="the certificate proven so far; empty before the first"
    )


class EstimateAnswer(Wire):
    """What is feasible, and what it costs, before anything is sampled."""

    feasible: bool = Field(description="whether any outcome could prove what is asked")
    asked: Literal["overlap", "radius", "claim", "curve"]
    model: str
    features: int
    k: int
    wanted: int | None = Field(description="so many of the k are asked to stay; null: not asked")
    radius: float | None = Field(description="asked radius; null: not asked")
    samples: int = Field(description="samples that would be drawn at most")
    samples_needed: int | None = Field(
        description="the fewest of which some outcome proves it; null: no number would do"
    )
    largest_radius: float | None = Field(
        description="no outcome of these samples proves more; null: no limit is known"
    )
    seconds: float | None = Field(
        description="for all samples, at the pace measured last; null: nothing measured yet"
    )
    seconds_at_best: float | None = Field(description="for the samples needed; null: unknown")
    advice: list[str] = Field(description="in words; what would make it feasible if it is not")


class ModelDefaults(Wire):
    """What a request gets when it does not say."""

    cell: int
    scale: float
    samples: int
    k: int
    votes: int
    layer: str = Field(description="whose values decoys keep")
    attribution: str = Field(description="base map of certificates and of maps of votes")
    lanes: int = Field(description="pictures in one pass through the network")


class ModelSummary(Wire):
    """One line of the list of models."""

    name: str
    title: str
    summary: str
    size: int = Field(description="side of the picture that the model sees, in pixels")
    classes: int = Field(description="number of classes")
    precisions: list[str] = Field(
        description="what `precision` of a request may be; tf32 where workers have a GPU for it"
    )


class ModelList(Wire):
    """All models of this server."""

    models: list[ModelSummary]


class ModelAttribution(Wire):
    """One base map, and whether this model has it."""

    name: str = Field(description="as `attribution` of a request")
    title: str
    summary: str = Field(description="formula and parameters; they never change under this name")
    source: str
    passes: int = Field(description="passes through the network for each picture: the cost")
    precisions: list[str] = Field(description="arithmetic of the network that it is computed in")
    supported: bool
    reason: str | None = Field(description="why it is not supported; null if it is")


class ModelCard(Wire):
    """Everything a caller may want to know about one model."""

    name: str
    title: str
    summary: str
    architecture: str
    weights: str = Field(description="SHA-256 of the weights")
    licence: str
    origin: str
    accuracy: str
    size: int
    labels: list[str] = Field(description="class names; the index is the target")
    precisions: list[str] = Field(description="what `precision` of a request may be")
    layers: list[str] = Field(description="layers that decoys may keep, first to last")
    attributions: list[ModelAttribution]
    defaults: ModelDefaults
    ready: bool = Field(description="whether its weights are on this server")


class VerifyCheck(Wire):
    """One thing that the verifier looked at."""

    name: str
    holds: bool
    found: str


class VerifyAnswer(Wire):
    """What the verifier found; it recomputes every claim from the evidence."""

    holds: bool = Field(description="whether every check holds")
    checks: list[VerifyCheck]
    words: list[str] = Field(description="what the document says; empty unless it can be read")
    signature: str = Field(description="whether it is signed and by which key, unchecked here")


class Alive(Wire):
    """The HTTP process is there."""

    alive: Literal[True]


class WorkerState(Wire):
    """What one worker is doing, and how often it had to be started again."""

    name: str
    state: str = Field(description="starting, idle, busy, silent or down")
    restarts: int


class Ready(Wire):
    """A heartbeat went through a worker."""

    ready: Literal[True]
    workers: list[WorkerState]
    detail: str
