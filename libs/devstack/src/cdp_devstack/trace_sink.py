"""A place for spans when no tracing backend runs: takes OTLP over HTTP and keeps the spans in memory."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cdp_devstack.servers.ports import HOST

OK: Final = 200


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """A span as it was exported; times in nanoseconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    start: int
    end: int


class TraceSink:
    """An OTLP/HTTP receiver on a free port of this machine. A context manager."""

    def __init__(self) -> None:
        self.spans: list[SeenSpan] = []
        sink = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name http.server calls
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                self.send_response(OK)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
                return

        self._server = ThreadingHTTPServer((HOST, 0), Receiver)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def take(self, body: bytes) -> None:
        """Keep the spans of one export request."""
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        for resource in request.resource_spans:
            attributes = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    seen = SeenSpan(
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        service=attributes.get("service.name", "?"),
                        name=span.name,
                        start=span.start_time_unix_nano,
                        end=span.end_time_unix_nano,
                    )
                    self.spans.append(seen)

    def trace(self, trace_id: str) -> list[SeenSpan]:
        """The spans of one trace, in the order of their start."""
        return sorted((span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.start)

    def __enter__(self) -> TraceSink:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
