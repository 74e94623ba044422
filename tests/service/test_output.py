"""What the command line and the demo put on the screen and into files."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from service.commands.following import SAMPLING, follow
from service.commands.output import curl_line, write_certificate
from service.results import CertifyAnswer, Progress


def test_a_terminal_gets_a_bar_and_an_early_end_is_an_error() -> None:
    async def steps() -> AsyncGenerator[Progress | CertifyAnswer, None]:
        yield Progress(samples=64, total=128, seconds=1.0, at_least=5, radius=0.25)

    console = Console(force_terminal=True, width=120, record=True)
    with pytest.raises(EOFError, match="before its result came"):
        asyncio.run(follow(steps(), console, SAMPLING))
    shown = console.export_text()
    assert "64/128" in shown and "at least 5 stay within 0.25" in shown


def test_the_curl_line_survives_odd_folders() -> None:
    line = curl_line("http://h:1", Path("/my photos/it's.jpg"), "m")
    assert "'image=@/my photos/it'\"'\"'s.jpg'" in line


def test_an_answer_without_pictures_writes_the_rest(
    client: Any, picture: bytes, tmp_path: Path
) -> None:
    answer = CertifyAnswer.model_validate(client.certify(picture, samples=100).json())
    files = write_certificate(answer, tmp_path)
    assert {path.name for path in files.values()} == {"certificate.json", "map.npy", "radii.npy"}
