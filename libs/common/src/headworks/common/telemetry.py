"""OpenTelemetry: traces that follow a measurement across HTTP and the bus to a register."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_tracer = trace.get_tracer("headworks")


def configure_telemetry(service: str, otlp_endpoint: str | None) -> None:
    """Start tracing; spans are exported only where an endpoint is given, ids travel always."""
    provider = TracerProvider(resource=Resource.create({"service.name": f"headworks-{service}"}))
    if otlp_endpoint is not None:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp_endpoint)))
    trace.set_tracer_provider(provider)


def outgoing_headers() -> dict[str, str]:
    """The current trace as W3C headers, for a bus message or an HTTP call."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


@contextmanager
def span(name: str, headers: Mapping[str, str] | None = None, **attributes: str) -> Iterator[None]:
    """A span that goes on from the trace in `headers`, if there is one."""
    parent = propagate.extract(dict(headers)) if headers else None
    with _tracer.start_as_current_span(name, context=parent, attributes=attributes):
        yield
