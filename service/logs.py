"""Log lines: one JSON object each, or one line of text for a terminal, with request and job id.

What callers sent may be in them, so nothing can end a line, begin another or steer a terminal:
JSON is written in ASCII, text has everything unprintable escaped.
"""

import json
import logging
import re
import sys
import uuid
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars
from structlog.typing import Processor

Style = Literal["auto", "json", "text"]
REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
LONGEST_TEXT, LONGEST_TRACE = 2000, 20_000


def configure(style: Style, stream: TextIO | None = None) -> None:
    """Send every log record of this process to `stream` (standard error) in this style.

    auto: text if the stream is a terminal, else JSON.
    """
    stream = stream or sys.stderr
    text = style == "text" or (style == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _text if text else _json,
            ],
            foreign_pre_chain=_shared(),
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # Every request is told by our own line.
    logging.getLogger("uvicorn.access").disabled = True
    # It tells every step of opening a store.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


def begin_request(stated: str | None) -> str:
    """A fresh request id, or the caller's own if it is plain; lines of this task carry it."""
    found = stated if stated and REQUEST_ID.fullmatch(stated) else uuid.uuid4().hex
    clear_contextvars()
    bind_contextvars(request_id=found)
    return found


def begin_job(job: str) -> None:
    """Lines of this task carry the job's id."""
    bind_contextvars(job_id=job)


def request_id() -> str | None:
    """The request id of this task."""
    found: str | None = get_contextvars().get("request_id")
    return found


def _json(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    # Of a traceback the end says most.
    trace = (
        {"exception": str(event.pop("exception"))[-LONGEST_TRACE:]} if "exception" in event else {}
    )
    told = {name: _short(value) for name, value in event.items()} | trace
    return json.dumps(told, default=repr, ensure_ascii=True)


def _text(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    level, name = str(event.pop("level", "info")).upper(), event.pop("logger", "")
    event.pop("timestamp", None)
    trace = str(event.pop("exception", ""))[-LONGEST_TRACE:]
    line = f"{level} {name}: {event.pop('event', '')}{_pairs(event)}"
    return "\n    ".join([_printable(line), *map(_printable, trace.splitlines())])


def _pairs(event: Mapping[str, Any]) -> str:
    return "".join(f" {name}={value}" for name, value in event.items())


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[: LONGEST_TEXT - 1] + "…"
    return value


def _printable(text: str) -> str:
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return str(_short("".join(escaped)))
