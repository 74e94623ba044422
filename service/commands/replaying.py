"""`affidavit verify --replay`: run the network again, show progress, say what differs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from certify.reading import loads
from models.identity import Mismatch
from models.images import BadImage
from models.registry import UnknownModel
from service.commands.complaints import FAILED, Impossible
from service.commands.following import PLAIN_STEPS
from service.pool.allocator import keep_memory
from service.settings import Settings

if TYPE_CHECKING:
    from models.replay import Replay


def run(document: bytes, photo: bytes, settings: Settings, console: Console) -> int:
    """Replay a document that holds, with this photo; returns the exit status.

    Raises BadImage, and Impossible where this installation cannot do it.
    """
    # torch takes seconds to load, and nobody else on the command line's side needs it.
    keep_memory()
    try:
        from models import replay
        from models.weights import WeightsError
    except ImportError as error:
        raise Impossible(f"a replay runs the network, which needs torch: {error}") from None
    try:
        with _counting(console) as progress:
            found = replay.replay(
                loads(document),
                photo,
                max_pixels=settings.max_pixels,
                device=settings.device,
                progress=progress,
            )
    except Mismatch as error:
        _say(console, f"FAILED  replay: {error}")
        return FAILED
    except BadImage:
        raise
    except (UnknownModel, WeightsError, ValueError) as error:
        raise Impossible(f"cannot replay: {error}") from None
    _say(console, words(found))
    return 0 if found.holds else FAILED


def words(found: "Replay") -> str:
    """What a replay found, in a line or two."""
    least = "" if found.single else "at least "
    lines = [
        f"{'ok    ' if found.holds else 'FAILED'}  replay: {least}{found.votes_differ} of "
        f"{found.votes} {found.unit} differ, {found.predictions_differ} of {found.samples} "
        "predictions"
    ]
    if not found.same_file:
        lines.append("        the file is not the one that was sent, but holds the same picture")
    if not found.holds:
        lines.append(
            "        more than one in a hundred: the evidence is not of this network and picture"
        )
    return "\n".join(lines)


@contextmanager
def _counting(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Shows how far the replay is: a bar on a terminal, plain lines elsewhere."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task, said = bar.add_task("replaying"), 0

        def show(done: int, total: int) -> None:
            nonlocal said
            bar.update(task, completed=done, total=total)
            if not console.is_terminal and done * PLAIN_STEPS // total > said:
                said = done * PLAIN_STEPS // total
                _say(console, f"  {done}/{total} samples drawn again")

        yield show


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
