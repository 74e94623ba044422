"""OpenTelemetry spans: http, under it queue and chunk for every piece of work.

Without AFFIDAVIT_TRACING the API's own tracer does nothing. With it the extra `tracing` has to be
installed; where spans go is said by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT …).
"""

import time
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.propagate import extract
from opentelemetry.trace import Span, SpanKind, Tracer

from service.pool.messages import Request, Sampled

# Read once: finding it parses all that the package says of itself, which takes a millisecond.
VERSION = version("affidavit")


class NoTracing(Exception):
    """Tracing is asked for and cannot be had; the text says why."""


def tracer() -> Tracer:
    """The tracer of this process."""
    return trace.get_tracer("affidavit", VERSION)


def configure() -> None:
    """Send spans by OTLP over HTTP from now on. Raises NoTracing without the extra `tracing`."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise NoTracing("setting tracing: pip install 'affidavit[tracing]' first") from error
    provider = TracerProvider(resource=Resource.create({"service.name": "affidavit"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def http(method: str, headers: dict[str, str]) -> Span:
    """The span of a request, under the caller's if it sent a `traceparent`."""
    return tracer().start_span(method, extract(headers), SpanKind.SERVER)


def here() -> Context:
    """The context that spans begun elsewhere on behalf of this task belong to."""
    return get_current()


def worked(context: Context, request: Request, waited: float, seconds: float, worker: str) -> None:
    """A worker has just finished a request, `seconds` after it was handed out and `waited` more
    since it could have been."""
    ended = time.time_ns()
    began = ended - int(seconds * 1e9)
    queue = tracer().start_span("queue", context, start_time=began - int(waited * 1e9))
    queue.end(began)
    chunk = tracer().start_span(
        "chunk", context, start_time=began, attributes=_told(request, worker)
    )
    chunk.end(ended)


def _told(request: Request, worker: str) -> dict[str, str | int]:
    told: dict[str, str | int] = {"work": type(request).__name__.lower(), "worker": worker}
    if isinstance(request, Sampled):
        told |= {"start": request.start, "stop": request.stop}
    return told
