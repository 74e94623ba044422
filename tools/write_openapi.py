"""Write the OpenAPI document of the service: `python tools/write_openapi.py openapi.json`.

Clients are generated from the committed file; a test compares it with what the service answers.
"""

import json
import sys
from pathlib import Path
from typing import Any

from service.app import create_app
from service.pool.pools import LocalPool
from service.settings import Settings


def document() -> dict[str, Any]:
    """What GET /openapi.json answers, whatever the settings here are."""
    return create_app(Settings.model_construct(), LocalPool()).openapi()


def text() -> str:
    """The document as the file holds it."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
