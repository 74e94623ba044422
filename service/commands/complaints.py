"""What can go wrong on the command line, as words on standard error and an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from models.devices import DeviceError
from models.identity import Mismatch
from models.images import BadImage
from models.registry import BadCard, UnknownModel
from service.commands import output
from service.commands.sources import Unreachable
from service.drawing.report import Refused
from service.failures import bad_image
from service.fitness import Unfit
from service.keys import BadKey
from service.pool.pools import PoolError
from service.problems import ProblemError
from service.store.opening import BadStore
from service.tracing import NoTracing

FAILED, IMPOSSIBLE = 1, 2
console = Console(stderr=True)


class Impossible(Exception):
    """What was asked cannot be done, in words for whoever typed it."""


@contextmanager
def complaints() -> Iterator[None]:
    """End the command with words and an exit status where something goes wrong inside."""
    try:
        yield
    except BadImage as error:
        raise _refused(bad_image(error)) from None
    except ProblemError as error:
        raise _refused(error) from None
    except (Impossible, BadKey, BadStore, NoTracing, Unfit, DeviceError) as error:
        raise _end(str(error), IMPOSSIBLE) from None
    except (BadCard, UnknownModel) as error:
        raise _end(str(error), IMPOSSIBLE) from None
    except Refused as error:
        raise _end(str(error), FAILED) from None
    except (Mismatch, PoolError, Unreachable, OSError, EOFError) as error:
        raise _end(f"failed: {error}", FAILED) from None


def _refused(error: ProblemError) -> typer.Exit:
    output.print_problem(console, error.problem())
    return typer.Exit(IMPOSSIBLE if error.status < 500 else FAILED)


def _end(text: str, status: int) -> typer.Exit:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    return typer.Exit(status)
