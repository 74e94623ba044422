"""Every setting of the service: its name, default, limits and help, in one place.

A setting `name` is read from the environment variable AFFIDAVIT_NAME. docs/operating.md lists them
all; a test compares that table with this file.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1 << 20
MEGAPIXEL = 1_000_000


class Settings(BaseSettings):
    """What an operator decides; requests cannot change any of it."""

    model_config = SettingsConfigDict(env_prefix="AFFIDAVIT_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="address the HTTP server listens on")
    port: int = Field(8000, ge=0, le=65535, description="its port; 0 takes a free one")
    workers: int = Field(1, ge=1, le=64, description="worker processes, each with its own networks")
    device: str = Field("auto", description="where networks run: auto, cpu, cuda or cuda:N")
    default_model: str = Field(
        "efficientnet-lite0", description="model of the curl line that `affidavit serve` prints"
    )
    max_body_bytes: int = Field(
        20 * MEBIBYTE, ge=1024, description="largest request body, in bytes; beyond it: 413"
    )
    max_pixels: int = Field(
        64 * MEGAPIXEL, ge=1, description="largest picture, width times height, before decoding"
    )
    max_samples: int = Field(
        100_000, ge=1, description="most noise samples that one request may ask for"
    )
    part_samples: int = Field(
        64, ge=1, description="samples handed to a worker at once; decides how often progress shows"
    )
    arithmetic_threads: int = Field(
        2, ge=1, le=64, description="threads for decoding, drawing pictures and proving"
    )
    retry_after_seconds: int = Field(
        5, ge=1, description="what Retry-After says while no worker answers"
    )
    heartbeat_seconds: float = Field(
        5.0, gt=0, description="how long /readyz waits for a worker to answer"
    )

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Environment variable of each setting, with its help text."""
        return {f"AFFIDAVIT_{name.upper()}": field.description or "" for name, field in cls.model_fields.items()}


def bundled_photos() -> Path:
    """The folder of photographs that come with the source tree."""
    return Path(__file__).parent.parent / "examples" / "photos"
