"""What requests may say: closed lists, so that an unknown field is an error.

Rules that need the model card (does the cell divide the size?) are in `service.orders`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from certify.noise import LARGEST_SCALE, SMALLEST_SCALE
from certify.plan import AttributionName, PrecisionName
from service.decoys.fields import Cap, Layer, Patch, Scheme, Shown, Steps, Stride, Tolerance

Method = Literal["gradient", "plain", "smoothgrad", "renyi", "dance"]
Confidence = Literal["anytime", "fixed"]
Stop = Literal["proven", "never"]
LawName = Literal["auto", "liu2021", "gaussian", "laplace", "generalized_normal"]

ModelName = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=100,
        description="a name from GET /v1/models; default: the server's",
    ),
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
        ge=float(SMALLEST_SCALE),
        le=float(LARGEST_SCALE),
        allow_inf_nan=False,
        description="standard deviation of the noise, in units of [0, 1] intensity",
    ),
]
Votes = Annotated[
    int | None,
    Field(ge=1, description="features that each noisy map votes for; certify: by default k"),
]
ScoreName = Literal["vote", "linear", "sigmoid"]
Score = Annotated[
    ScoreName | None,
    Field(
        description="what a feature gets for its rank in a noisy map. vote, the default: 1 for the "
        "first `votes` ranks. linear: points that fall to 0 after them. sigmoid: points that fall "
        "to half at rank `votes`"
    ),
]
Attribution = Annotated[
    AttributionName | None,
    Field(
        description="the base map, of the clean or of each noisy picture; default: what the "
        "model card says for votes, else gradient. GET /v1/models/{name} says which ones a model "
        "supports and what each costs"
    ),
]
Precision = Annotated[
    PrecisionName | None,
    Field(
        description="arithmetic of the network, forwards and backwards; default: float32. The "
        "others are other functions of the picture, and the document says which one it is about"
    ),
]
Lanes = Annotated[
    int | None,
    Field(
        ge=1,
        description="pictures in one pass through the network, on which its rounding may depend: "
        "1, 8, 16, 32, 64, 128 or 256; default: what the model card says",
    ),
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

    model: ModelName = None
    method: Method = Field(
        description="plain: the base map of the clean picture; gradient: that of the gradient. "
        "smoothgrad: its magnitude averaged under noise. renyi: how often each feature is among "
        "the most important under noise. dance: how far the base map moves over decoys, pictures "
        "that the network's first layers cannot tell from this one"
    )
    attribution: Attribution = None
    target: Target = None
    cell: Cell = None
    scale: Scale = None
    votes: Votes = None
    score: Score = None
    precision: Precision = None
    lanes: Lanes = None
    samples: Samples = None
    key: Key = None
    scheme: Scheme = None
    layer: Layer = None
    patch: Patch = None
    stride: Stride = None
    tolerance: Tolerance = None
    cap: Cap = None
    steps: Steps = None
    decoys: Shown = None
    pictures: bool = Field(False, description="also answer the overlay, as base64 PNG")


class CertifyParameters(Wire):
    """What POST /v1/certify takes beside the picture."""

    model: ModelName = None
    attribution: Attribution = None
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
        description="ask for the radius within which this share of the k stays; with radius: for "
        "a proof of both",
    )
    radius: float | None = Field(
        None,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="ask how many of the k stay under any change of this size, in units of "
        "[0, 1] intensity; with overlap: for a proof of both",
    )
    norm: str = Field(
        "2",
        max_length=8,
        pattern="^(inf|[0-9.]+)$",
        description="d of the norm that measures a change: 1, 2, another decimal from 1 on, or inf",
    )
    law: LawName = Field(
        "gaussian",
        description="law of the noise. auto: the one that could prove most in this norm at this "
        "scale. liu2021: the published pairing of law and norm",
    )
    shape: int | None = Field(
        None,
        ge=4,
        description="exponent of a generalized_normal law, even from 4 to 20; default: 4",
    )
    cell: Cell = None
    scale: Scale = None
    votes: Votes = None
    score: Score = None
    precision: Precision = None
    lanes: Lanes = None
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
    stop: Stop | None = Field(
        None,
        description="proven: stop sampling once overlap and radius, both given, are proven or no "
        "outcome of the samples left could prove them. never: draw all. default: proven if both "
        "are given and confidence is anytime",
    )
    strict: bool = Field(
        False,
        description="let the network see each noisy picture alone, so that nothing else in a "
        "batch could change a vote; slower",
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


class EstimateRequest(CertifyParameters):
    """POST /v1/certify/estimate as JSON."""

    image: str | None = Field(
        None,
        description="the picture file as base64, to have it judged too",
        json_schema_extra={"contentEncoding": "base64"},
    )


class EstimateUpload(CertifyParameters):
    """POST /v1/certify/estimate as a form."""

    image: str | None = Field(
        None,
        description="the picture file, to have it judged too",
        json_schema_extra={"format": "binary"},
    )
