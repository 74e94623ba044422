"""What requests may say and what answers look like: the wire models of the HTTP interface.

Closed lists: an unknown field is an error. No computed fields, so that one model is one component
of the OpenAPI document. Rules that need the model card (does the cell divide the size?) are in
`service.orders`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Method = Literal["gradient", "smoothgrad", "renyi"]
Confidence = Literal["anytime", "fixed"]

ModelName = Annotated[
    str, Field(min_length=1, max_length=100, description="a name from GET /v1/models")
]
Target = Annotated[
    int | None,
    Field(ge=0, description="class index to explain; default: the class that is predicted"),
]
Cell = Annotated[
    int | None,
    Field(ge=1, description="side of a feature in pixels; it must divide the model's size"),
]
Scale = Annotated[
    float | None,
    Field(
        gt=1 / 255,
        le=4,
        allow_inf_nan=False,
        description="standard deviation of the noise, in units of [0, 1] intensity",
    ),
]
Votes = Annotated[
    int | None,
    Field(ge=1, description="features that each noisy map votes for; certify: by default k"),
]
Samples = Annotated[int | None, Field(ge=1, description="noisy pictures to draw")]
Key = Annotated[
    str | None,
    Field(
        pattern="^[0-9a-fA-F]{32}$",
        description="32 hexadecimal digits that decide all noise; default: fresh from the "
        "operating system",
    ),
]


class Wire(BaseModel):
    """Everything on the wire refuses unknown fields and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class ExplainParameters(Wire):
    """What POST /v1/explain takes beside the picture."""

    model: ModelName
    method: Method = Field(
        description="gradient: of the clean picture. smoothgrad: its magnitude averaged under "
        "noise. renyi: how often each feature is among the most important under noise"
    )
    target: Target = None
    cell: Cell = None
    scale: Scale = None
    votes: Votes = None
    samples: Samples = None
    key: Key = None
    pictures: bool = Field(False, description="also answer the overlay, as base64 PNG")


class CertifyParameters(Wire):
    """What POST /v1/certify takes beside the picture."""

    model: ModelName
    target: Target = None
    k: int | None = Field(
        None, ge=1, description="how many of the most important features to report; or fraction"
    )
    fraction: float | None = Field(
        None, gt=0, lt=1, allow_inf_nan=False, description="k as a share of all features; or k"
    )
    overlap: float | None = Field(
        None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="ask for the radius within which this share of the k stays; or radius",
    )
    radius: float | None = Field(
        None,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="ask how many of the k stay under any change of this l2 size, in units of "
        "[0, 1] intensity; or overlap",
    )
    cell: Cell = None
    scale: Scale = None
    votes: Votes = None
    samples: Samples = None
    failure_probability: float = Field(
        0.001,
        gt=0,
        lt=1,
        allow_inf_nan=False,
        description="how often, over the noise, the whole certificate may be wrong",
    )
    confidence: Confidence = Field(
        "anytime",
        description="anytime: proven at every number of samples at once. fixed: at this one only",
    )
    key: Key = None
    pictures: bool = Field(
        False, description="also answer the overlay and the certified regions, as base64 PNG"
    )


class ExplainRequest(ExplainParameters):
    """POST /v1/explain as JSON."""

    image: str = Field(
        description="the picture file as base64", json_schema_extra={"contentEncoding": "base64"}
    )


class ExplainUpload(ExplainParameters):
    """POST /v1/explain as a form."""

    image: str = Field(description="the picture file", json_schema_extra={"format": "binary"})


class CertifyRequest(CertifyParameters):
    """POST /v1/certify as JSON."""

    image: str = Field(
        description="the picture file as base64", json_schema_extra={"contentEncoding": "base64"}
    )


class CertifyUpload(CertifyParameters):
    """POST /v1/certify as a form."""

    image: str = Field(description="the picture file", json_schema_extra={"format": "binary"})


class Ranked(Wire):
    """One class of a prediction."""

    target: int = Field(description="class index")
    label: str
    probability: float


class ExplainRecipe(Wire):
    """How the map was made; null where the method does not use it."""

    attribution: str
    cell: int
    law: str | None = None
    scale: float | None = None
    votes: int | None = None


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
    samples: int = Field(description="noisy pictures drawn; 0 for the plain gradient")
    key: str | None = Field(description="the noise's key; null where no noise was drawn")
    map: list[list[float]] = Field(description="rows x columns of scores, none negative")
    overlay: str | None = Field(None, description="base64 PNG of the map over the picture")


class Spot(Wire):
    """One point of the curve: at least so many of the k stay within this radius."""

    at_least: int
    overlap: float
    radius: float
    route: str = Field(description="the proof that gives this radius")


class Reply(Wire):
    """The answer to what was asked."""

    asked: Literal["overlap", "radius", "curve"]
    k: int
    at_least: int = Field(description="so many of the k stay; 0: nothing could be proven")
    radius: float = Field(description="under any change of this size; 0: nothing could be proven")


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
    answer: Reply
    curve: list[Spot]
    reported: list[int] = Field(description="the k features, best first, numbered row by row")
    certificate: dict[str, Any] = Field(description="the whole document, for POST /v1/verify")
    pictures: Pictures | None = None


class Progress(Wire):
    """One `progress` event: what is drawn and, now and then, what is already proven."""

    samples: int
    total: int
    seconds: float
    at_least: int | None = Field(None, description="already proven: so many of the k stay")
    radius: float | None = Field(None, description="already proven: within this radius")


class ModelDefaults(Wire):
    """What a request gets when it does not say."""

    cell: int
    scale: float
    samples: int
    k: int
    votes: int


class ModelSummary(Wire):
    """One line of the list of models."""

    name: str
    title: str
    summary: str
    size: int = Field(description="side of the picture that the model sees, in pixels")
    classes: int = Field(description="number of classes")


class ModelList(Wire):
    """All models of this server."""

    models: list[ModelSummary]


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
    defaults: ModelDefaults


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
