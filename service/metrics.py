"""What Prometheus reads at /metrics, kept in the HTTP process from events that it sees anyway.

Labels come from closed lists (routes, models, states), so that no caller can make more of them.
"""

import time
from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from certify import wording
from service.jobs.running import Running, SetAside, Taken
from service.pipeline import Certified
from service.pool.chunks import Work
from service.pool.pools import Health

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
CHUNK_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
JOB_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
STATES = ("starting", "idle", "busy", "silent", "down")


class Metrics:
    """One registry; docs/operating.md lists the names, and a test compares."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._http()
        self._work()
        self._state()

    def _http(self) -> None:
        own = self.registry
        self.requests = Counter(
            "affidavit_http_requests",
            "requests answered; status 499: the caller hung up",
            ("method", "route", "status"),
            registry=own,
        )
        self.request_seconds = Histogram(
            "affidavit_http_request_seconds",
            "from a request's first byte to its answer's last",
            ("route",),
            buckets=SECONDS,
            registry=own,
        )
        self.in_flight = Gauge(
            "affidavit_http_requests_in_flight", "requests not yet answered", registry=own
        )

    def _work(self) -> None:
        own = self.registry
        self.samples = Counter(
            "affidavit_samples",
            "noise samples drawn; its rate is samples/s",
            ("model",),
            registry=own,
        )
        self.lanes = Counter(
            "affidavit_lanes",
            "pictures computed, lanes without a sample included; samples over lanes is the fill",
            ("model",),
            registry=own,
        )
        self.chunk_seconds = Histogram(
            "affidavit_chunk_seconds",
            "a worker's time for one chunk of samples",
            ("model",),
            buckets=CHUNK_SECONDS,
            registry=own,
        )
        self.batch_fill = Histogram(
            "affidavit_batch_fill",
            "share of the lanes of a chunk's batches that held a sample",
            buckets=SHARES,
            registry=own,
        )
        self._outcomes()

    def _outcomes(self) -> None:
        own = self.registry
        self.halvings = Counter(
            "affidavit_out_of_memory_halvings",
            "batches halved because the device had no memory left",
            registry=own,
        )
        self.certificates = Counter(
            "affidavit_certificates",
            "certificates made: proven, or abstained where nothing could be",
            ("model", "outcome"),
            registry=own,
        )
        self.overlap = Histogram(
            "affidavit_certified_overlap",
            "share of the k regions proven to stay, of the answer to what was asked",
            buckets=SHARES,
            registry=own,
        )
        self.job_seconds = Histogram(
            "affidavit_job_seconds",
            "age of a job when it ended in this process",
            ("outcome",),
            buckets=JOB_SECONDS,
            registry=own,
        )

    def _state(self) -> None:
        own = self.registry
        self.queue = Gauge(
            "affidavit_queue_samples", "noise samples accepted and not yet drawn", registry=own
        )
        self.workers = Gauge("affidavit_workers", "workers by state", ("state",), registry=own)
        self.restarts = Gauge(
            "affidavit_worker_restarts", "restarts of the present workers", registry=own
        )
        self.jobs = Gauge("affidavit_jobs", "jobs in the store", ("state",), registry=own)
        self.oldest = Gauge(
            "affidavit_job_oldest_seconds",
            "age of the oldest job in a state",
            ("state",),
            registry=own,
        )

    def chunk(self, work: Work, seconds: float) -> None:
        """A worker has finished a chunk, of one request or of several, in so many seconds."""
        self.samples.labels(work.plan.model).inc(work.samples)
        self.lanes.labels(work.plan.model).inc(work.lanes)
        self.chunk_seconds.labels(work.plan.model).observe(seconds)
        self.batch_fill.observe(work.fill)

    def job(self, ended: Running) -> None:
        """A job, or a certificate that only a request waited for, has ended here."""
        outcome = ended.outcome
        if outcome.cancelled() or isinstance(outcome.exception(), Taken | SetAside):
            return
        failed = outcome.exception() is not None
        seconds = max(0.0, time.time() - ended.record.created)
        self.job_seconds.labels("failed" if failed else "done").observe(seconds)
        if not failed:
            self._certified(outcome.result())

    def _certified(self, done: Certified) -> None:
        at_least, _ = wording.answer(done.order.asked, done.certificate)
        outcome = "proven" if at_least else "abstained"
        self.certificates.labels(done.order.card.name, outcome).inc()
        self.overlap.observe(at_least / done.certificate.k)

    def fleet(self, health: Health) -> None:
        """How the workers are."""
        for state in STATES:
            self.workers.labels(state).set(sum(w.state == state for w in health.workers))
        self.restarts.set(sum(w.restarts for w in health.workers))

    def census(self, found: Iterable[tuple[str, int, float]], states: Iterable[str]) -> None:
        """How many jobs are in each state of the store, and how old the oldest is."""
        known: Mapping[str, tuple[int, float]] = {state: (n, age) for state, n, age in found}
        for state in states:
            number, age = known.get(state, (0, 0.0))
            self.jobs.labels(state).set(number)
            self.oldest.labels(state).set(age)

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)
