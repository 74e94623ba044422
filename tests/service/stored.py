"""Jobs of the store that tests begin with."""

from dataclasses import replace
from typing import Any

from service.store import jobs
from service.store.jobs import New
from service.store.store import Store

ME, OTHER = "1" * 32, "2" * 32


def new(number: int = 1, **values: Any) -> New:
    made = New(f"{number:032x}", "", float(number), None, "0" * 64, "m", 100, "{}", b"\0picture")
    return replace(made, **values)


def running(store: Store, number: int = 1) -> str:
    """Id of a job that ME works on until 20."""
    job = new(number)
    store.now(jobs.accept, job, 1.0)
    assert store.now(jobs.take, job.id, ME, 10.0, 20.0)
    return job.id
