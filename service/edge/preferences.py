"""How a caller would like to wait: the Prefer header (RFC 7240), and the Idempotency-Key."""

import re
from dataclasses import dataclass

from starlette.datastructures import Headers

from service.problems import fault, refuse

LONGEST_KEY = 255
WAIT = re.compile(r'wait\s*=\s*"?(\d{1,9})"?', re.IGNORECASE)
KEY = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Preferences:
    """What a caller prefers.

    later: to be told at once where the answer will be. wait: to wait so many seconds for it; None:
    as long as the server lets them. idempotency: a name for the request, so that sending it again
    does nothing new.
    """

    later: bool = False
    wait: int | None = None
    idempotency: str | None = None

    @property
    def durable(self) -> bool:
        """Whether the caller means to come back."""
        return self.later or self.idempotency is not None

    def seconds(self, longest: float) -> float:
        """How long the request waits, where `longest` is the longest that any may."""
        if self.wait is None:
            return 0.0 if self.later else longest
        return min(float(self.wait), longest)

    @property
    def applied(self) -> dict[str, str]:
        """The header that says what was heeded; none if nothing was preferred."""
        said = ["respond-async"] if self.later else []
        said += [f"wait={self.wait}"] if self.wait is not None else []
        return {"Preference-Applied": ", ".join(said)} if said else {}


def preferences(headers: Headers) -> Preferences:
    """What these headers prefer; what is not understood is ignored, as RFC 7240 asks.

    Raises ProblemError for an Idempotency-Key that is none.
    """
    said = [part.strip() for value in headers.getlist("prefer") for part in value.split(",")]
    waits = [found.group(1) for part in said if (found := WAIT.fullmatch(part))]
    later = any(part.lower() == "respond-async" for part in said)
    wait = int(waits[0]) if waits else None
    return Preferences(later, wait, _idempotency(headers.get("idempotency-key")))


def _idempotency(key: str | None) -> str | None:
    if key is None:
        return None
    if not KEY.fullmatch(key) or len(key) > LONGEST_KEY:
        rule = f"1 to {LONGEST_KEY} printable ASCII characters without spaces"
        advice = "send a fresh UUID with each new request, and the same one when you repeat it"
        raise refuse("invalid-parameters", fault("Idempotency-Key", key, rule, advice))
    return key
