"""Verifying documents for callers: a thread of its own, a short queue, and a limit of size.

Recomputing a certificate takes seconds of this process, and anyone may send a document. So they
are verified one at a time, and never in the threads that orders, pictures and proofs are worked on
in; whoever would have to wait long is told to come back.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from certify.reading import loads
from certify.verify import verify
from service.problems import Fault, ProblemError, fault, refuse
from service.requests import parse_json
from service.results import VerifyAnswer, VerifyCheck
from service.settings import Settings

PLACES = 4
MOST_FEATURES = 1 << 16
OFFLINE = "verify it yourself, which needs no server: affidavit verify FILE"


class Verifier:
    """Verifies one document at a time; at most PLACES are at work or waiting."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = threading.BoundedSemaphore(PLACES)
        self._thread: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Ready for documents."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verifier")

    def stop(self) -> None:
        """Take no more; what waits is dropped."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    async def verify(self, document: bytes) -> VerifyAnswer:
        """What the verifier says about a document.

        Raises ProblemError: it is not JSON, it is too large, or too many wait already.
        """
        if self._thread is None or not self._places.acquire(blocking=False):
            raise busy(self._settings.retry_after_seconds)
        work = self._thread.submit(verification, document, self._settings.max_samples)
        # A caller who hangs up frees no place as long as the thread is at work.
        work.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(work)


def busy(retry_after: int) -> ProblemError:
    """503: ask again in `retry_after` seconds."""
    detail = f"{PLACES} documents are being verified or wait; try again in {retry_after} seconds"
    advice = fault("document", "one too many", detail, OFFLINE)
    headers = {"Retry-After": str(retry_after)}
    return ProblemError("verifier-busy", detail, [advice], headers)


def verification(body: bytes, most_samples: int) -> VerifyAnswer:
    """What the verifier says about a document; refuses what is not JSON, or too large."""
    parse_json(body)
    if faults := _too_large(body, most_samples):
        raise refuse("invalid-parameters", *faults)
    report = verify(body)
    checks = [VerifyCheck(name=c.name, holds=c.holds, found=c.found) for c in report.checks]
    return VerifyAnswer(
        holds=report.holds,
        checks=checks,
        words=list(report.words),
        signature=report.signature,
    )


def _too_large(body: bytes, most_samples: int) -> list[Fault]:
    try:
        document = loads(body)
    except ValueError:
        return []  # The verifier says what is wrong with it.
    features = max(document.plan.features, document.evidence.features)
    sizes = {
        "features": (features, MOST_FEATURES),
        "samples": (document.evidence.samples, most_samples),
    }
    return [
        fault(name, size, f"this server verifies documents of at most {most} {name}", OFFLINE)
        for name, (size, most) in sizes.items()
        if size > most
    ]
