"""Every setting of the service: its name, default, limits and help, in one place.

A setting `name` is read from the environment variable AFFIDAVIT_NAME. docs/operating.md lists them
all; a test compares that table with this file.
"""

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models import devices
from service import logs

MEBIBYTE = 1 << 20
MEGAPIXEL = 1_000_000


class Settings(BaseSettings):
    """What an operator decides; requests cannot change any of it."""

    model_config = SettingsConfigDict(env_prefix="AFFIDAVIT_", frozen=True, extra="ignore")

    host: str = Field(default="127.0.0.1", description="address the HTTP server listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="its port; 0 takes a free one")
    workers: int = Field(
        default=0, ge=0, le=64, description="worker processes; 0: one for each core, one for a GPU"
    )
    reserve: int = Field(
        default=0,
        ge=0,
        le=8,
        description="workers more, kept for explanations of the clean picture: those wait for no "
        "batch",
    )
    device: str = Field(default="auto", description="where networks run: auto, cpu, cuda or cuda:N")
    pool: Path | None = Field(
        default=None,
        description="socket file where workers come that `affidavit workers` runs beside the "
        "server; unset: the server starts its own",
    )
    default_model: str = Field(
        default="efficientnet-lite0",
        description="model of requests and commands that name none",
    )
    arrival_seconds: float = Field(
        default=20.0, gt=0, description="how long a request's head may take to come, and its body"
    )
    max_body_bytes: int = Field(
        default=20 * MEBIBYTE, ge=1024, description="largest request body, in bytes; beyond it: 413"
    )
    max_pixels: int = Field(
        default=64 * MEGAPIXEL,
        ge=1,
        description="largest picture, width times height, before decoding",
    )
    max_samples: int = Field(
        default=100_000, ge=1, description="most noise samples that one request may ask for"
    )
    max_lanes: int = Field(
        default=32,
        ge=1,
        le=256,
        description="most pictures in one pass that a request may ask for; memory grows with them",
    )
    max_decoys: int = Field(default=1000, ge=1, description="most decoys that one request may take")
    chunk_seconds: float = Field(
        default=0.1,
        gt=0,
        le=60,
        description="how much work a worker gets at once; progress shows as often",
    )
    retry_after_seconds: int = Field(
        default=5, ge=1, description="what Retry-After says while no worker answers"
    )
    heartbeat_seconds: float = Field(
        default=5.0, gt=0, description="how long /readyz waits for a worker to answer"
    )
    hang_seconds: float = Field(
        default=60.0, gt=0, description="a worker that takes longer for one chunk is replaced"
    )
    data_dir: Path = Field(
        default=Path("affidavit-data"), description="folder of the store, where no URL is given"
    )
    store_url: str | None = Field(
        default=None,
        repr=False,
        description="where jobs and keys are kept: postgresql://… or sqlite:///…; unset: a file",
    )
    keep_hours: float = Field(
        default=24.0, gt=0, description="how long a finished job and its certificate are kept"
    )
    jobs_at_once: int = Field(
        default=8, ge=1, le=1000, description="jobs at work at once, in turns; others wait"
    )
    longest_wait_seconds: float = Field(
        default=100.0,
        ge=0,
        description="longest that a request waits; a certificate is then a job (202)",
    )
    queue_samples: int = Field(
        default=500_000, ge=1, description="most noise samples waited for at once; beyond it: 429"
    )
    most_requests: int = Field(
        default=512, ge=1, description="most requests being answered at once; beyond it: 429"
    )
    samples_an_hour: int = Field(
        default=0, ge=0, description="noise samples an hour for each caller's key; 0: no limit"
    )
    allow_anyone: bool = Field(
        default=False,
        description="let callers without a key in, on any address; else only on loopback",
    )
    checkpoint_seconds: float = Field(
        default=1.0, ge=0, description="how often the evidence of a job is saved"
    )
    lease_seconds: float = Field(
        default=15.0, ge=0.2, description="how long after a server died another takes its jobs"
    )
    drain_seconds: float = Field(
        default=10.0,
        ge=0,
        description="how long requests may still take once the server is to end",
    )
    log_format: logs.Style = Field(
        default="auto", description="auto, json or text; auto: text on a terminal, else JSON"
    )
    tracing: bool = Field(
        default=False, description="send OpenTelemetry spans; needs the extra `tracing`"
    )
    signing_key: Path | None = Field(
        default=None,
        description="file of the Ed25519 key that signs documents; unset: they are unsigned",
    )

    @field_validator("device")
    @classmethod
    def _device(cls, device: str) -> str:
        if not devices.NAME.fullmatch(device):
            raise ValueError(f"it must {devices.RULE}")
        return device

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Environment variable of each setting, with its help text."""
        return {
            f"AFFIDAVIT_{name.upper()}": field.description or ""
            for name, field in cls.model_fields.items()
        }


def bundled_photo() -> Path:
    """A photograph that comes with the source tree; its licence is beside it."""
    return Path(__file__).parent.parent / "examples" / "photos" / "coffee.jpg"
