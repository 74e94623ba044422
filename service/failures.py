"""From an exception to the problem that the caller is told: one translation for all."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException
from starlette.requests import Request

from models.images import BadImage
from service.pool.pools import (
    ModelUnavailable,
    PoolError,
    TooLittleMemory,
    WorkerLost,
    WorkRefused,
)
from service.problems import ProblemError, fault, refuse

log = logging.getLogger(__name__)


def as_problem(
    error: BaseException, retry_after: int, request: Request | None = None
) -> ProblemError:
    """The problem that `error` means to a caller; what is unforeseen says nothing of its inside."""
    match error:
        case ProblemError():
            return error
        case BadImage():
            return bad_image(error)
        case WorkerLost():
            return unavailable(str(error), retry_after)
        case ModelUnavailable():
            log.error("a model cannot be loaded: %s", error)
            return ProblemError(
                "model-unavailable", "this server lacks the model's weights; its log says more"
            )
        case TooLittleMemory():
            log.error("a batch does not fit: %s", error)
            advice = "strict: true computes one picture at a time, and takes the least memory"
            return ProblemError("out-of-memory", f"{error}; {advice}")
        case WorkRefused():
            return _contradiction(error)
        case HTTPException() if request is not None:
            return _http(error, request)
    log.error("unforeseen failure", exc_info=error)
    where = "a worker" if isinstance(error, PoolError) else "the service"
    return ProblemError("internal-error", f"{where} failed; its log says why")


@contextmanager
def contradictions() -> Iterator[None]:
    """Tell the caller what a ValueError of certify says: it names the field, value and rule."""
    try:
        yield
    except ValueError as error:
        raise _contradiction(error) from error


def _contradiction(error: Exception) -> ProblemError:
    return refuse("invalid-parameters", fault("request", "", str(error), "change the request"))


def unavailable(detail: str, retry_after: int) -> ProblemError:
    """503: ask again in `retry_after` seconds."""
    advice = f"{detail}; try again in {retry_after} seconds"
    return ProblemError("workers-unavailable", advice, headers={"Retry-After": str(retry_after)})


def too_long(seconds: float) -> ProblemError:
    """504: an answer that cannot be a job took longer than a request may wait."""
    detail = f"no answer within {seconds:g} s, the longest that a request waits here"
    return ProblemError("took-too-long", f"{detail}; ask for fewer samples or decoys")


def bad_image(error: BadImage) -> ProblemError:
    """422: which property of the picture breaks which rule."""
    name = "image" if error.field == "image" else f"image {error.field}"
    return refuse("bad-image", fault(name, error.value, error.rule, error.advice))


def _http(error: HTTPException, request: Request) -> ProblemError:
    path = request.url.path
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        allowed = "GET, HEAD" if "GET" in allowed else allowed
        rule = f"{path} takes {allowed or 'another method'}"
        made = refuse(
            "method-not-allowed", fault("method", request.method, rule, "see /openapi.json")
        )
        made.headers = {"Allow": allowed} if allowed else {}
        return made
    if error.status_code == 404:
        rule = "no such address"
        return refuse("not-found", fault("path", path, rule, "addresses are in /openapi.json"))
    return refuse("malformed-body", fault("request", str(error.detail), "it cannot be read", ""))
