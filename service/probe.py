"""Is the server of this container ready? `python -m service.probe` ends with 0 if so, else with 1.

It asks /readyz, so that a heartbeat goes through a worker; with `--workers` it asks instead
whether a worker of this container's `service.pool.keeper` has shown a pulse of late.
"""

import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path

PATIENCE_SECONDS = 7.0
PULSES = "affidavit-pulse-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Status for a container engine."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["--workers"]:
        return int(not fresh(Path(tempfile.gettempdir()).glob(f"{PULSES}*/*")))
    port = os.environ.get("AFFIDAVIT_PORT", "8000")
    return int(not ready(f"http://127.0.0.1:{port}/readyz"))


def ready(url: str) -> bool:
    """Whether the address answers with success in time."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def fresh(pulses: Iterable[Path], limit: float = 90.0) -> bool:
    """Whether any of these files was touched within so many seconds."""
    return any(time.time() - pulse.stat().st_mtime < limit for pulse in pulses)


if __name__ == "__main__":
    sys.exit(main())
