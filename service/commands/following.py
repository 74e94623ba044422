"""Work that is shown while it is done: a bar on a terminal, plain lines elsewhere."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from certify.wording import exactly
from service.decoys.results import DecoyProgress
from service.results import CertifyAnswer, ExplainAnswer, Progress

PLAIN_STEPS = 10
SAMPLING, SEEKING = "sampling noise", "looking for decoys"
Step = Progress | DecoyProgress
Answer = TypeVar("Answer", CertifyAnswer, ExplainAnswer)


async def follow(
    steps: AsyncGenerator[Step | Answer, None], console: Console, doing: str
) -> Answer:
    """Show progress until the answer comes, and return that; `doing` is what takes the time.

    Raises EOFError where it never comes.
    """
    answer: Answer | None = None
    with _bar(console) as bar:
        show = _moving(bar, doing) if console.is_terminal else _lines(console)
        async with aclosing(steps):
            async for step in steps:
                if isinstance(step, Step):
                    show(step)
                else:
                    answer = step
    if answer is None:
        raise EOFError("the answer ended before its result came")
    return answer


def _bar(console: Console) -> Bar:
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[known]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _moving(bar: Bar, doing: str) -> Callable[[Step], None]:
    task = bar.add_task(doing, total=None, known="")

    def show(step: Step) -> None:
        bar.update(task, completed=_done(step), total=step.total, known=_known(step))

    return show


def _lines(console: Console) -> Callable[[Step], None]:
    said = 0

    def show(step: Step) -> None:
        nonlocal said
        if _done(step) * PLAIN_STEPS // step.total > said:
            said = _done(step) * PLAIN_STEPS // step.total
            things = "samples" if isinstance(step, Progress) else "decoys"
            tail = f", {_known(step)}" if _known(step) else ""
            line = f"  {_done(step)}/{step.total} {things}, {step.seconds:.0f} s{tail}"
            console.print(line, highlight=False, soft_wrap=True)

    return show


def _done(step: Step) -> int:
    return step.samples if isinstance(step, Progress) else step.decoys


def _known(step: Step) -> str:
    """What is proven so far, if anything is."""
    if isinstance(step, DecoyProgress) or not step.at_least or not step.radius:
        return ""
    return f"already proven: at least {step.at_least} stay within {exactly(step.radius)}"
