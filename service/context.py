"""What routes work with, and who asks."""

from dataclasses import dataclass

from starlette.requests import Request

from service.admission import Admission
from service.api_keys import Keys
from service.jobs.runner import Runner
from service.keys import Signer
from service.metrics import Metrics
from service.pool.pools import Pool
from service.settings import Settings
from service.store.store import Store
from service.verifying import Verifier


@dataclass(frozen=True)
class Service:
    """What routes work with."""

    settings: Settings
    pool: Pool
    signer: Signer | None
    verifier: Verifier
    store: Store
    runner: Runner
    metrics: Metrics
    keys: Keys
    admission: Admission


def service(request: Request) -> Service:
    """What the application of this request works with."""
    found: Service = request.app.state.service
    return found


def owner(request: Request) -> str:
    """Name of the caller's key; empty where nobody has one."""
    found: str = getattr(request.state, "owner", "")
    return found
