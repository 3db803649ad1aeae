"""Setting and moving on the timers of people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cdp_segments.domain.person import Person
from cdp_segments.domain.telling import acknowledge
from cdp_segments.store import PersonStore
from cdp_segments.timers import Alarm, Timers


async def move_on(
    fired: Sequence[Alarm], records: Mapping[str, Person], people: PersonStore, timers: Timers
) -> None:
    """Forget what has been told, then set the timers to what comes next.

    What comes next is asked of the store once the timers have moved: somebody else may have written a person since
    the record was read, and found the timer still set to something earlier.
    """
    for alarm in fired:
        acknowledge(records[alarm.id])
    await people.save(records)
    await timers.move_on((alarm, records[alarm.id].wake_at) for alarm in fired)
    await timers.set(await people.stored_alarms(alarm.id for alarm in fired))


def alarms_of(records: Mapping[str, Person]) -> Iterator[Alarm]:
    """The timers that these people need. Set whether they changed or not: the last attempt may have failed."""
    for person in records.values():
        if person.partition is not None and person.wake_at is not None:
            yield Alarm(person.partition, person.id, person.wake_at)
