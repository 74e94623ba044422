"""The whole thing once, as a newcomer sees it: `python -m service.demo --out out`.

Starts the real server, sends it a bundled photograph over HTTP, shows progress, prints what was
found in words, writes the pictures and the certificate, and has the verifier check the certificate
in a process of its own.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from service.commands import output
from service.commands.following import SAMPLING, follow
from service.commands.sources import Remote, Unreachable
from service.drawing import report
from service.problems import ProblemError
from service.settings import Settings, bundled_photo

START_SECONDS = 120.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.2
SERVES = "affidavit serves on "


class DemoFailed(Exception):
    """The demo cannot go on, in words for whoever started it."""


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    chosen, console = _options(arguments), Console()
    try:
        run(chosen, console)
    except DemoFailed as error:
        console.print(f"The demo failed: {error}", style="bold red", markup=False)
    except ProblemError as error:
        output.print_problem(console, error.problem())
    except (Unreachable, EOFError) as error:
        console.print(f"The demo failed: no answer from {error}", style="bold red", markup=False)
    else:
        return 0
    return 1


def run(chosen: argparse.Namespace, console: Console) -> None:
    """Serve, certify, write, verify. Raises DemoFailed, ProblemError or Unreachable."""
    fields = {name: getattr(chosen, name) for name in ("model", "samples", "radius")}
    fields = {name: value for name, value in fields.items() if value is not None}
    photo = _photo(chosen.photo)
    with _server(chosen.port, console) as url:
        console.print(f"sending {chosen.photo.name} to {url}/v1/certify", highlight=False)
        answer = asyncio.run(follow(Remote(url).certify(photo, fields), console, SAMPLING))
    console.print(f"\n{fields['model']} sees:", highlight=False)
    output.print_prediction(console, answer.prediction, answer.label)
    console.print("\nThe certificate in words:", highlight=False)
    output.print_words(console, answer.summary)
    files = output.write_certificate(answer, chosen.out)
    console.print("\nchecking the certificate with python -m certify.verify", highlight=False)
    _verify(chosen.out / "certificate.json", console)
    files |= report.beside(chosen.out, photo, Settings(), ours=True)
    console.print("\nWritten:", highlight=False)
    output.print_files(console, files)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m service.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for what is written")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--photo", type=Path, default=bundled_photo(), help="picture to send")
    parser.add_argument("--model", default=Settings().default_model, help="model to ask")
    parser.add_argument("--samples", type=int, default=None, help="noisy pictures to draw")
    parser.add_argument("--radius", type=float, default=0.05, help="ask how many stay within it")
    return parser.parse_args(arguments)


def _photo(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DemoFailed(f"cannot read {path}: {error.strerror}") from error


@contextmanager
def _server(port: int, console: Console) -> Iterator[str]:
    """The URL of a server that runs inside the block and is ready when the block begins."""
    with tempfile.TemporaryFile("w+") as log:
        command = (sys.executable, "-m", "service", "serve", "--port", str(port))
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=_environment()
        )
        try:
            url = _address(process, log)
            console.print(f"the server runs on {url}; waiting for its worker", highlight=False)
            _await_ready(process, url, log)
            yield url
        finally:
            _stop(process)


def _environment() -> dict[str, str]:
    """Ours, with the server's words coming as they are said and in lines that are never broken."""
    return os.environ | {"PYTHONUNBUFFERED": "1"}


def _address(process: subprocess.Popen[str], log: Any) -> str:
    for line in process.stdout or ():
        if line.startswith(SERVES):
            return line.removeprefix(SERVES).strip()
    raise DemoFailed(f"the server ended or never said its address:\n{_tail(log)}")


def _await_ready(process: subprocess.Popen[str], url: str, log: Any) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise DemoFailed(f"the server ended with status {process.returncode}:\n{_tail(log)}")
        try:
            if httpx.get(f"{url}/readyz", timeout=POLL_SECONDS * 50).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(POLL_SECONDS)
    raise DemoFailed(f"no worker was ready within {START_SECONDS:g} s:\n{_tail(log)}")


def _tail(log: Any) -> str:
    """The last lines that the server complained with."""
    log.seek(0)
    return "".join(log.readlines()[-10:]) or "(it said nothing)"


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _verify(document: Path, console: Console) -> None:
    command = (sys.executable, "-m", "certify.verify", str(document))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    console.print(said, highlight=False, markup=False, soft_wrap=True, end="")
    if done.returncode:
        raise DemoFailed(f"the verifier refuses {document}")


if __name__ == "__main__":
    sys.exit(main())
