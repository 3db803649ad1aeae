"""What the runtime promises: decode, handle, emit; the adapter commits when `process` has returned."""

from __future__ import annotations

import logging
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Generic, TypeVar

from cdp_contracts.envelope import Contract
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer
from pydantic import ValidationError

from cdp_runtime import metrics
from cdp_runtime.absence import Absence
from cdp_runtime.backoff import DeadLetterLimit, Patience
from cdp_runtime.batch import DEAD_LETTERED, DUPLICATE, Batch, DeadLetter, Emitted, Tick
from cdp_runtime.clock import Clock
from cdp_runtime.codec import encode
from cdp_runtime.failures import Conflict, Halted, NewerRecord, is_away, reason_of
from cdp_runtime.letters import dead_letter, poison_reason
from cdp_runtime.metrics import child, count
from cdp_runtime.stage import Stage
from cdp_runtime.tracing import BatchTrace
from cdp_runtime.transport import Incoming, Outgoing, Producer, TooLarge

M = TypeVar("M", bound=Contract)
T = TypeVar("T")
Decoded = tuple[M, Incoming]

LATENCIES_A_BATCH: Final = 50

log: Final = logging.getLogger("cdp.stage")


class StageRunner(Generic[M]):
    """Runs one stage. One batch or tick at a time; safe to call again with the same records."""

    def __init__(
        self,
        stage: Stage[M],
        *,
        role: str,
        producer: Producer,
        clock: Clock,
        patience: Patience | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.stage = stage
        self.role = role
        self.service = role.split("-", maxsplit=1)[0]
        self.group = stage.group(role)
        self.labels = (role, stage.name)
        self._producer = producer
        self._clock = clock
        self._patience = patience or Patience()
        self._limit = DeadLetterLimit(self._patience)
        self._tracer = tracer or TracerProvider().get_tracer("cdp")
        self._outcomes: Tally[str] = Tally()
        self.absence = Absence(*self.labels)
        child(metrics.IMBALANCE, *self.labels).inc(0)
        child(metrics.BATCH_SECONDS, *self.labels)  # a stage that never begins shows as one that has done nothing
        for topic in stage.reads:
            child(metrics.CONSUMED, *self.labels, topic.name).inc(0)

    async def process(self, records: Sequence[Incoming]) -> None:
        """Handle these records: when it returns, all that follows from them is acknowledged.

        Retries for ever while a store or the broker is away. Raises Halted when the stage must stop.
        """
        started = self._clock.now()
        child(metrics.BATCH_STARTED, *self.labels).set(started.timestamp())
        self._outcomes.clear()
        try:
            decoded, letters = self._decode(records)
            if letters:
                await self._send([], letters, self._trace(()))
                self._outcomes[DEAD_LETTERED] += len(letters)
            if decoded:
                await self._handle(decoded)
        finally:
            child(metrics.BATCH_STARTED, *self.labels).set(0)
            self.absence.note("batch", away=False)
        self._limit.batch_done()
        self._balance(len(records))
        count(metrics.CONSUMED, self.labels, (record.topic for record in records))
        child(metrics.BATCH_SIZE, *self.labels).observe(len(records))
        now = self._clock.now()
        child(metrics.BATCH_SECONDS, *self.labels).observe((now - started).total_seconds())
        self._observe_latency(decoded, now)

    async def assigned(self, positions: Mapping[int, int]) -> None:
        """Let the stage prepare for these partitions, and again until it has."""
        if self.stage.on_assigned:
            await self._patiently(partial(self.stage.on_assigned, positions))

    async def tick(self, watermarks: Mapping[int, datetime], positions: Mapping[int, int] | None = None) -> bool:
        """Give the clock its turn, and whether it wants the next one soon.

        What it emits is acknowledged before its `after_ack` actions run.
        """
        if self.stage.on_tick is None:
            return False
        tick = Tick(self._clock.now(), watermarks, self.stage.emits, positions)
        try:
            await self.stage.on_tick(tick, *self.stage.uses)
            if tick.outbox.emitted:
                trace = self._trace(())
                await self._send(tick.outbox.emitted, [], trace)
                child(metrics.TIMERS, *self.labels).inc(len(tick.outbox.emitted))
            for action in tick.acknowledged:
                await action()
            self.absence.note("tick", away=False)
        except Conflict:
            child(metrics.RETRIES, *self.labels, "conflict").inc()
        except Exception as error:
            if not await is_away(error, self.stage.uses):
                raise
            self._away("tick", error)
            child(metrics.RETRIES, *self.labels, absence_of(error)).inc()
            return False
        return tick.hurried

    def resume(self) -> None:
        """Go on after a halt: set aside whatever the batch at hand calls for, then count dead letters afresh."""
        self._limit.pardon()
        child(metrics.HALTED, *self.labels).set(0)

    def _decode(self, records: Sequence[Incoming]) -> tuple[list[Decoded[M]], list[DeadLetter]]:
        decoded: list[Decoded[M]] = []
        letters: list[DeadLetter] = []
        for record in records:
            try:
                decoded.append((self.stage.decode(record), record))
            except (ValidationError, ValueError, RecursionError) as error:
                letters.append(DeadLetter(record, poison_reason(error)))
        self._halt_if_precious(letters)
        if strange := [letter for letter in letters if not self.stage.topic_of(letter.record).open]:
            self._note(dead=len(strange), alive=len(decoded))
        return decoded, letters

    async def _handle(self, messages: list[Decoded[M]], attempt: int = 1) -> None:
        """Run the handler on these; halve them on an unknown failure until the message that fails is alone."""
        trace = self._trace([record for _, record in messages])
        try:
            batch = await self._run(messages)
            self._halt_if_precious(batch.dead_letters)
            if not self.stage.others_fault:
                self._note(dead=len(batch.dead_letters), alive=len(batch) - len(batch.dead_letters))
            await self._send(batch.outbox.emitted, batch.dead_letters, trace)
            self._outcomes.update(batch.outcomes.values())
        except Halted as halted:
            raise self._halted(halted.reason) from None
        except TooLarge as error:
            await self._set_aside_oversize(messages, batch.outbox.emitted[error.index], attempt)
        except Exception as error:  # whatever a handler raises is isolated, never swallowed
            await self._isolate(messages, error, attempt)
        finally:
            trace.end()

    def _trace(self, records: Sequence[Incoming]) -> BatchTrace:
        return BatchTrace(self._tracer, self.stage.name, records)

    async def _run(self, messages: list[Decoded[M]]) -> Batch[M]:
        """One run of the handler, repeated while it conflicts or while what it needs is away."""

        async def run() -> Batch[M]:
            batch = Batch(messages, self.stage.emits, self._clock.now())
            await self.stage.handler(batch, *self.stage.uses)
            return batch

        return await self._patiently(run)

    async def _patiently(self, action: Callable[[], Awaitable[T]]) -> T:
        attempt = 0
        while True:
            try:
                done = await action()
            except Conflict:
                await self._again("conflict", min(attempt, 3))
            except Exception as error:
                if not await is_away(error, self.stage.uses):
                    raise
                self._away("batch", error)
                await self._again(absence_of(error), attempt)
            else:
                self.absence.note("batch", away=False)
                return done
            attempt += 1

    async def _isolate(self, messages: list[Decoded[M]], error: Exception, attempt: int) -> None:
        log.warning("%s failed on %d messages: %s", self.group, len(messages), type(error).__name__)
        if len(messages) > 1:
            half = len(messages) // 2
            await self._handle(messages[:half])
            await self._handle(messages[half:])
        elif attempt < self._patience.attempts:
            await self._again("error", attempt)
            await self._handle(messages, attempt + 1)
        else:
            await self._give_up(messages[0][1], type(error).__name__, attempt)

    async def _set_aside_oversize(self, messages: list[Decoded[M]], emitted: Emitted, attempt: int) -> None:
        if emitted.cause is None:
            raise TooLarge(0)
        rest = [(message, record) for message, record in messages if record is not emitted.cause]
        await self._give_up(emitted.cause, "TooLarge", attempt)
        if rest:
            await self._handle(rest)

    async def _give_up(self, record: Incoming, reason: str, attempts: int) -> None:
        letters = [DeadLetter(record, reason, attempts)]
        self._halt_if_precious(letters)
        self._note(dead=1, alive=0)
        await self._send([], letters, self._trace(()))
        self._outcomes[DEAD_LETTERED] += 1

    async def _send(self, emitted: Sequence[Emitted], letters: Sequence[DeadLetter], trace: BatchTrace) -> None:
        """Write all of it; again and again while the broker is away."""
        now = self._clock.now()
        outgoing = [
            encode(e.topic, e.message, source=self.role, now=now, trace=trace.headers(e.cause)) for e in emitted
        ] + [
            dead_letter(letter, topic=self.stage.topic_of(letter.record).dead_letters(self.service),
                        role=self.role, stage=self.stage.name, now=now)
            for letter in letters
        ]  # fmt: skip
        await self._send_patiently(outgoing)
        for sent in emitted:
            trace.outcome(sent.cause, sent.topic.name)
        count(metrics.EMITTED, self.labels, (e.topic.name for e in emitted))
        count(metrics.DEAD_LETTERS, self.labels, (letter.reason for letter in letters))

    async def _send_patiently(self, outgoing: Sequence[Outgoing]) -> None:
        attempt = 0
        while outgoing:
            try:
                await self._producer.send(outgoing)
            except Exception as error:
                if not await is_away(error, (self._producer,)):
                    raise
                self._away("batch", error)
                await self._again("away", attempt)
                attempt += 1
            else:
                self.absence.note("batch", away=False)
                return

    def _balance(self, handled: int) -> None:
        """Hold what went into a batch against what became of it, now that nothing of it is in flight."""
        for outcome, number in self._outcomes.items():
            child(metrics.OUTCOMES, *self.labels, outcome).inc(number)
        child(metrics.DUPLICATES, *self.labels).inc(self._outcomes[DUPLICATE])
        if missing := handled - self._outcomes.total():
            child(metrics.UNACCOUNTED, *self.labels).inc(max(0, missing))
            child(metrics.IMBALANCE, *self.labels).inc(missing)
            log.error("%s: %d messages have no outcome", self.group, missing)

    def _observe_latency(self, decoded: Sequence[Decoded[M]], now: datetime) -> None:
        histogram = child(metrics.SINCE_RECEIVED, *self.labels)
        for message, record in decoded[:: 1 + len(decoded) // LATENCIES_A_BATCH]:
            received = getattr(message, "received_at", None) or record.timestamp
            histogram.observe(max(0.0, (now - received).total_seconds()))

    def _note(self, *, dead: int, alive: int) -> None:
        try:
            self._limit.note(dead=dead, alive=alive)
        except Halted as halted:
            raise self._halted(halted.reason) from None

    def _halt_if_precious(self, letters: Iterable[DeadLetter]) -> None:
        """Nothing on a halting topic may be set aside: a person has to look."""
        for letter in letters:
            topic = self.stage.topic_of(letter.record)
            if topic.on_poison == "halt":
                raise self._halted(f"{letter.reason} on {topic.name}")

    def _halted(self, reason: str) -> Halted:
        child(metrics.HALTED, *self.labels).set(1)
        log.error("%s halted: %s", self.group, reason)
        return Halted(reason)

    def _away(self, finder: str, error: Exception) -> None:
        self.absence.note(finder, away=True)
        log.warning("%s waits: %s", self.group, reason_of(error))

    async def _again(self, kind: str, attempt: int) -> None:
        child(metrics.RETRIES, *self.labels, kind).inc()
        await self._clock.sleep(self._patience.wait(attempt))


def absence_of(error: Exception) -> str:
    """Which kind of retry it is: what is away, or a newer version of the service that has to be waited for."""
    return "newer" if isinstance(error, NewerRecord) else "away"
