"""A real server on a port of its own, with one real worker and the tiny network."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def served(data: Path, **settings: str) -> Iterator[str]:
    """Its URL, once it is ready; `data` is the folder of its store. It ends with the block."""
    own = {
        "AFFIDAVIT_DEFAULT_MODEL": "digits-tiny",
        "AFFIDAVIT_DEVICE": "cpu",
        "AFFIDAVIT_WORKERS": "1",
        "AFFIDAVIT_DATA_DIR": str(data),
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen(
        (sys.executable, "-m", "service", "serve", "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | own | settings,
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().removeprefix("affidavit serves on ").strip()
        assert any(line.startswith("ready") for line in process.stdout)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stdout.close()
