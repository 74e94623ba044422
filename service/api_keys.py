"""Keys of callers: made here, kept as their SHA-256, compared in constant time.

A key is 256 random bits, which nobody guesses however fast the hash is; a slow one, made for
passwords that people choose, would cost every request and protect nothing more.
"""

import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Iterable

from service.problems import ProblemError
from service.settings import Settings
from service.store import api_keys as kept
from service.store.api_keys import Entry
from service.store.store import Store

PREFIX, BYTES = "affidavit_", 32
SCHEME = "bearer"
# A key that is added or removed counts after so many seconds at most.
REFRESH_SECONDS = 2.0


def fresh(name: str, now: float, samples_an_hour: int | None = None) -> tuple[str, Entry]:
    """A new key, which is nowhere else, and what is kept of it."""
    key = PREFIX + secrets.token_urlsafe(BYTES)
    return key, Entry(name, digest(key), now, samples_an_hour)


def digest(key: str) -> str:
    """SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def match(key: str, entries: Iterable[Entry]) -> Entry | None:
    """The entry of this key; looks at every entry and every digit, whichever it is."""
    given, found = digest(key), None
    for entry in entries:
        if hmac.compare_digest(given, entry.digest):
            found = entry
    return found


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Keys:
    """The keys of the store. Where there are none, callers on this machine need none."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._entries: tuple[Entry, ...] = ()
        self._due = 0.0

    def lacking(self) -> str | None:
        """Why the server must not start without a key, in words; None if it may."""
        settings = self._settings
        if is_loopback(settings.host) or settings.allow_anyone:
            return None
        if self._store.now(kept.entries):
            return None
        return (
            f"setting host: {settings.host} is reached from other machines, and there is no key "
            "for callers. Make one with `affidavit api-keys add NAME`, or set "
            "AFFIDAVIT_ALLOW_ANYONE=true where only trusted callers reach it"
        )

    async def caller(self, authorization: str | None) -> Entry | None:
        """Whose key an Authorization header gives; None for a caller who needs none.

        Raises ProblemError unauthorized.
        """
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + REFRESH_SECONDS
            self._entries = await self._store.do(kept.entries)
        if authorization is None:
            if self._settings.allow_anyone or not self._entries:
                return None
            raise _unauthorized("this server wants a key")
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != SCHEME:
            raise _unauthorized("Authorization must be Bearer and a key")
        found = match(key.strip(), self._entries)
        if found is None:
            raise _unauthorized("nobody has this key")
        return found


def _unauthorized(why: str) -> ProblemError:
    detail = f"{why}; send Authorization: Bearer KEY, with a key from the operator"
    return ProblemError("unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
