"""One trace from the HTTP request to the membership event. Only what the edge sampled costs anything."""

from __future__ import annotations

import os
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Link, Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from cdp_runtime.codec import trace_of
from cdp_runtime.transport import Headers, Incoming

PROPAGATOR = TraceContextTextMapPropagator()
DEFAULT_RATIO = 0.01
TRACEPARENT_LENGTH = 55
ODD_HEX_DIGITS = b"13579bdf"


def tracer_provider(service_name: str) -> TracerProvider:
    """Spans go where OTEL_EXPORTER_OTLP_ENDPOINT says, nowhere without it; 1 % is sampled by default."""
    sampler = None if "OTEL_TRACES_SAMPLER" in os.environ else ParentBasedTraceIdRatio(DEFAULT_RATIO)
    provider = TracerProvider(resource=Resource.create({"service.name": service_name}), sampler=sampler)
    if "OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=1000))
    return provider


def sampled(headers: Headers) -> bool:
    """Whether the record's traceparent carries the sampled flag."""
    for name, value in headers:
        if name == "traceparent":
            return len(value) == TRACEPARENT_LENGTH and value[-1:] in ODD_HEX_DIGITS
    return False


def headers_of(span: Span) -> Headers:
    """The trace headers that make a message a child of the span."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return tuple((name, value.encode()) for name, value in carrier.items())


class BatchTrace:
    """The spans of a batch: one a sampled message, and one for the batch that links to them."""

    def __init__(self, tracer: Tracer, stage: str, records: Sequence[Incoming]) -> None:
        self._spans: dict[int, Span] = {}
        for record in records:
            if sampled(record.headers):
                self._spans[id(record)] = self._start(tracer, stage, record)
        links = [Link(span.get_span_context()) for span in self._spans.values()]
        size = {"cdp.batch.size": len(records)}
        name = records[0].topic if records else ""
        self._batch = tracer.start_span(f"process batch {name}", links=links, attributes=size) if links else None

    @staticmethod
    def _start(tracer: Tracer, stage: str, record: Incoming) -> Span:
        carrier = {name: value.decode("ascii", "replace") for name, value in trace_of(record.headers)}
        return tracer.start_span(
            f"process {record.topic}",
            context=PROPAGATOR.extract(carrier),
            kind=SpanKind.CONSUMER,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "cdp.stage": stage,
            },
        )

    def headers(self, record: Incoming | None) -> Headers:
        """What a message caused by the record carries: the record's span, else its headers untouched."""
        if record is None:
            return ()
        span = self._spans.get(id(record))
        return headers_of(span) if span else trace_of(record.headers)

    def outcome(self, record: Incoming | None, topic: str) -> None:
        """Note what became of a sampled message."""
        span = self._spans.get(id(record))
        if span:
            span.add_event("emitted", {"messaging.destination.name": topic})

    def end(self) -> None:
        """The batch is done."""
        for span in self._spans.values():
            span.end()
        if self._batch:
            self._batch.end()
