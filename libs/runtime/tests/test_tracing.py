"""Spans only for what was sampled, and the right parents."""

from __future__ import annotations

from cdp_runtime.batch import Batch
from cdp_runtime.stage import Stage
from cdp_testkit import LocalBus
from harness import ROLE, Invoice, Order, Topics, order
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from test_delivery import invoice

SAMPLED = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = SAMPLED[:-1] + b"0"


async def pass_on(batch: Batch[Order]) -> None:
    for o in batch:
        batch.emit(invoice(o, o.amount), cause=o)


async def run_with(*traces: bytes) -> tuple[LocalBus, Topics, InMemorySpanExporter]:
    bus, topics, spans = LocalBus(), Topics(), InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    bus.tracer = provider.get_tracer("tests")
    bus.attach(ROLE, [Stage(pass_on, reads=topics.orders, emits=[topics.invoices])])
    for n, trace in enumerate(traces, 1):
        await bus.publish(topics.orders, order("ann", n), headers=(("traceparent", trace),))
    await bus.drain()
    return bus, topics, spans


async def test_a_sampled_message_gets_a_span_and_its_children_follow_it() -> None:
    bus, topics, spans = await run_with(SAMPLED)
    process = next(s for s in spans.get_finished_spans() if s.name == f"process {topics.orders.name}")
    assert process.parent is not None
    assert f"{process.parent.span_id:016x}" == "b7ad6b7169203331"
    (record,) = bus.raw(topics.invoices.name)
    assert dict(record.headers)["traceparent"].decode() == (
        f"00-0af7651916cd43dd8448eb211c80319c-{process.context.span_id:016x}-01"
    )


async def test_the_batch_span_links_to_the_sampled_messages() -> None:
    _, topics, spans = await run_with(SAMPLED, UNSAMPLED, SAMPLED)
    batch = next(s for s in spans.get_finished_spans() if s.name == f"process batch {topics.orders.name}")
    assert len(batch.links) == 2


async def test_what_is_not_sampled_costs_no_span() -> None:
    bus, topics, spans = await run_with(UNSAMPLED)
    assert spans.get_finished_spans() == ()
    (record,) = bus.raw(topics.invoices.name)
    assert dict(record.headers)["traceparent"] == UNSAMPLED


async def test_no_personal_data_stands_in_a_span() -> None:
    _, _, spans = await run_with(SAMPLED)
    said = "".join(s.to_json() for s in spans.get_finished_spans())
    assert "ann" not in said
    assert Invoice.__name__ not in said
