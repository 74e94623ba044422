"""What Prometheus reads: every count moves when it should, and labels come from closed lists."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families

from service import tracing
from service.metrics import Metrics
from service.pool.chunks import Pace
from service.pool.messages import Array, Average, Draw, Ping, Together
from service.pool.pools import WorkerLost
from service.pool.workers import WorkerPool
from tests.service import fake_worker
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


def test_samples_of_several_requests_fill_one_batch() -> None:
    metrics, pace = Metrics(), Pace()
    pace.listeners.append(metrics.chunk)
    kinds = ((Draw, 3), (Average, 5), (Draw, 6))
    parts = [kind(plan(n, lanes=8), Array.of(IMAGE), 0, n) for kind, n in kinds]
    pace.observe(Together(tuple(parts)), 0.5)
    text = metrics.text().decode()
    assert 'affidavit_samples_total{model="fake"} 14.0' in text
    assert 'affidavit_lanes_total{model="fake"} 16.0' in text
    assert 'affidavit_chunk_seconds_count{model="fake"} 1.0' in text
    assert "affidavit_batch_fill_sum 0.875" in text


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
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
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


def test_pieces_of_work_have_spans_under_their_request(spans: InMemorySpanExporter) -> None:
    async def story() -> None:
        pool = WorkerPool(1, command=(sys.executable, fake_worker.__file__))
        await pool.start()
        try:
            with tracing.tracer().start_as_current_span("http"):
                await pool.draw(plan(), IMAGE, 0, 12)
        finally:
            await pool.stop()

    asyncio.run(asyncio.wait_for(story(), 60))
    told = spans.get_finished_spans()
    (http,) = [span for span in told if span.name == "http"]
    chunks = [span for span in told if span.name == "chunk"]
    queues = [span for span in told if span.name == "queue"]
    assert len(chunks) == len(queues) >= 1
    for span in (*chunks, *queues):
        assert span.parent is not None and span.parent.span_id == http.context.span_id
    ranges = [(c.attributes["start"], c.attributes["stop"]) for c in chunks if c.attributes]
    assert sorted(ranges)[0][0] == 0 and sorted(ranges)[-1][1] == 12
    for queue, chunk in zip(queues, chunks, strict=True):
        assert queue.start_time <= queue.end_time == chunk.start_time <= chunk.end_time


def test_memory_that_runs_out_is_counted() -> None:
    metrics, pace = Metrics(), Pace()
    pace.halved.append(metrics.halvings.inc)
    picture = Array.of(IMAGE)
    assert len(pace.halve(Draw(plan(lanes=4), picture, 0, 16))) == 2
    assert pace.halve(Draw(plan(lanes=4), picture, 0, 4)) == ()
    assert "affidavit_out_of_memory_halvings_total 1.0" in metrics.text().decode()


def test_spans_leave_by_otlp(tmp_path: Path) -> None:
    """A collector of ours on loopback gets what a process with the setting records."""
    got: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        code = (
            "from service import tracing; tracing.configure(); tracing.http('GET', {}).end(); "
            "from opentelemetry import trace; trace.get_tracer_provider().shutdown()"
        )
        environment = os.environ | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        subprocess.run((sys.executable, "-c", code), env=environment, check=True)
        server.shutdown()
    assert got and got[0][0] == "/v1/traces" and b"affidavit" in got[0][1]
