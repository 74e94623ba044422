"""What KServe says here: V1 for explanations, V2 (the open inference protocol) for the rest."""

from typing import Literal

from pydantic import Field

from service.results import CertifyAnswer
from service.schemas import CertifyParameters, Wire

MOST_INSTANCES = 16


class EncodedImage(Wire):
    """Bytes as KServe's V1 protocol writes them."""

    b64: str = Field(
        description="the picture file as base64", json_schema_extra={"contentEncoding": "base64"}
    )


class ExplainInstance(CertifyParameters):
    """One picture and what to prove about it; `model`, if given, must be the one of the address."""

    image: EncodedImage


class ExplainInstances(Wire):
    """A request of KServe's V1 protocol."""

    instances: list[ExplainInstance] = Field(min_length=1, max_length=MOST_INSTANCES)


class Explanation(Wire):
    """One picture's map and proof."""

    map: list[list[float]] = Field(description="rows x columns: share of votes of each feature")
    radii: list[list[float]] = Field(
        description="rows x columns. positive: within this radius most noisy maps vote for the "
        "feature. negative: within so much most do not. 0: neither is proven"
    )
    certified: CertifyAnswer


class ExplainedInstances(Wire):
    """An answer of KServe's V1 protocol, in the order of the instances."""

    explanations: list[Explanation]


class ServerLive(Wire):
    """The HTTP process is there."""

    live: Literal[True]


class ServerReady(Wire):
    """A heartbeat went through a worker."""

    ready: Literal[True]


class ServerMetadata(Wire):
    """Which server this is."""

    name: str
    version: str
    extensions: list[str]


class Tensor(Wire):
    """A tensor of a model's metadata."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(Wire):
    """What a model takes and what an explanation of it gives."""

    name: str
    versions: list[str] = Field(description="SHA-256 of the weights")
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]


class ModelReady(Wire):
    """Whether a model can be explained now."""

    name: str
    ready: Literal[True]


COMPONENTS = (
    ExplainInstances,
    ExplainedInstances,
    ServerLive,
    ServerReady,
    ServerMetadata,
    ModelMetadata,
    ModelReady,
)
