"""What Prometheus reads: every count moves when it should, and labels come from closed lists."""

import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from service import tracing
from service.chunks import Pace
from service.messages import Array, Draw, Ping
from service.metrics import Metrics
from service.pool import WorkerLost
from tests.service.fake_worker import IMAGE, plan

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"


def read(client: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample, by name and labels."""
    text = client.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(client: Any, name: str, **labels: str) -> float:
    return read(client).get((name, tuple(sorted(labels.items()))), 0.0)


def test_requests_are_counted_by_the_template_of_their_route(client: Any) -> None:
    client.get("/v1/models/digits-tiny")
    client.get("/v1/models/vgg")
    for path in ("/a", "/b", "/v1/models/x/y", "/..%2f..%2fetc"):
        client.get(path)
    client.request("BREW", "/healthz")
    count = "affidavit_http_requests_total"
    route = "/v1/models/{name}"
    assert value(client, count, method="GET", route=route, status="200") == 1
    assert value(client, count, method="GET", route=route, status="404") == 1
    assert value(client, count, method="GET", route="none", status="404") == 4
    methods = {dict(labels)["method"] for name, labels in read(client) if name == count}
    assert methods <= {"GET", "none"}
    assert value(client, "affidavit_http_request_seconds_count", route=route) == 2


def test_nothing_is_in_flight_once_all_is_answered(client: Any, pool: Any, picture: bytes) -> None:
    pool.failure = RuntimeError("boom")
    assert client.explain(picture, method="gradient").status_code == 500
    # The request that reads the metrics is itself not answered yet.
    assert value(client, "affidavit_http_requests_in_flight") == 1
    assert (
        value(
            client,
            "affidavit_http_requests_total",
            method="POST",
            route="/v1/explain",
            status="500",
        )
        == 1
    )


def test_certificates_are_counted_with_their_overlap(client: Any, picture: bytes) -> None:
    proven = client.certify(picture, samples=600, k=4, radius=0.01).json()
    assert proven["answer"]["at_least"] > 0
    client.certify(picture, samples=64, k=4, radius=5.0, scale=0.01)
    told = read(client)
    outcomes = {
        dict(labels)["outcome"]: n
        for (name, labels), n in told.items()
        if name == "affidavit_certificates_total"
    }
    assert outcomes["proven"] >= 1 and sum(outcomes.values()) >= 1
    share = proven["answer"]["at_least"] / 4
    assert told["affidavit_certified_overlap_sum", ()] == pytest.approx(share)
    assert told["affidavit_job_seconds_count", (("outcome", "done"),)] == sum(outcomes.values())


def test_a_failed_job_is_counted_as_failed(client: Any, pool: Any, picture: bytes) -> None:
    pool.failure = WorkerLost("gone")
    client.certify(picture, samples=64)
    pool.failure = None
    assert value(client, "affidavit_job_seconds_count", outcome="failed") == 1


def test_chunks_are_counted_with_the_fill_of_their_batches() -> None:
    metrics, pace = Metrics(), Pace()
    pace.listeners.append(metrics.chunk)
    picture = Array.of(IMAGE)
    pace.observe(Draw(plan(lanes=4), picture, 0, 8), 0.5)
    pace.observe(Draw(plan(lanes=4), picture, 8, 10), 0.5)
    pace.observe(Ping(), 0.5)
    text = metrics.text().decode()
    assert 'affidavit_samples_total{model="fake"} 10.0' in text
    assert 'affidavit_chunk_seconds_count{model="fake"} 2.0' in text
    assert "affidavit_batch_fill_sum 1.5" in text


def test_workers_and_jobs_are_looked_up_when_asked(client: Any, pool: Any, picture: bytes) -> None:
    assert value(client, "affidavit_workers", state="idle") == 1
    pool.well = False
    assert value(client, "affidavit_workers", state="idle") == 0
    assert value(client, "affidavit_workers", state="down") == 1
    pool.well = True
    form = {"model": "digits-tiny", "samples": "64"}
    made = client.post(
        "/v1/certify",
        files={"image": ("p.png", picture)},
        data=form,
        headers={"idempotency-key": "m", "prefer": "wait=30"},
    )
    assert made.status_code == 200
    assert value(client, "affidavit_jobs", state="done") == 1
    assert value(client, "affidavit_jobs", state="failed") == 0
    assert value(client, "affidavit_job_oldest_seconds", state="done") >= 0


def test_the_manual_lists_every_name() -> None:
    families = {family.name for family in Metrics().registry.collect()}
    listed = set(re.findall(r"^\| `(affidavit_[a-z_]+?)(?:_total)?` \|", PAGE.read_text(), re.M))
    assert listed == families


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Everything that is traced during a test."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(tracing, "tracer", lambda: provider.get_tracer("test"))
    return kept


def test_a_request_has_a_span_under_its_callers(client: Any, spans: InMemorySpanExporter) -> None:
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    client.get("/v1/models/digits-tiny", headers={"traceparent": caller})
    (span,) = spans.get_finished_spans()
    assert span.name == "GET /v1/models/{name}"
    assert span.context.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert span.attributes is not None and span.attributes["http.response.status_code"] == 200


def test_without_the_setting_nothing_is_recorded() -> None:
    span = tracing.http("GET", {})
    assert not span.is_recording()
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
