"""Two records become one, in steps that a crash may part.

1. `freeze`: the absorbed record becomes a redirect. It keeps its parts and what it remembers; whatever
   still comes for it goes to the survivor.
2. `absorb`: the survivor takes in the parts and what is remembered of the messages applied to them.
3. `release`: the redirect lets go of both.

Each step is one compare-and-set of one document and does nothing where it was done before, so a merge that is
delivered again goes on where it stopped. Two runs of one merge, or a merge and an event, that meet on a
document lose the compare-and-set and look again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cdp_contracts.identities_v1 import IdentitiesMerged
from cdp_runtime.recent import Recent
from cdp_runtime.redirects import chain_of

from cdp_profiles.domain.facts import merge_told
from cdp_profiles.domain.moving import drop_taken, memory_of, without_doubles
from cdp_profiles.domain.parting import gone
from cdp_profiles.domain.parts import union
from cdp_profiles.domain.profile import Outcome, Profile, record_id
from cdp_profiles.domain.updating import Applied, People, Refused


def both(merge: IdentitiesMerged) -> tuple[str, str]:
    """The ids of the two records."""
    return record_id(merge.tenant, merge.profile_id), record_id(merge.tenant, merge.absorbed)


def freeze(people: People, merges: Iterable[IdentitiesMerged]) -> None:
    """Make each absorbed record a redirect, even where there was none, unless it is one."""
    for merge in merges:
        *_, survivor = chain_of(people, record_id(merge.tenant, merge.profile_id))
        absorbed = people[record_id(merge.tenant, merge.absorbed)]
        if absorbed.into is None and absorbed is not survivor:
            absorbed.into = survivor.profile_id
            absorbed.touch()


def absorb(people: People, merge: IdentitiesMerged, now: datetime) -> Applied | Refused:
    """Union a frozen record with the live record that it leads to, unless that has it."""
    chain = list(chain_of(people, record_id(merge.tenant, merge.absorbed)))
    absorbed, survivor = chain[0], chain[-1]
    if absorbed is survivor:
        return Refused("merge-into-itself")
    for record in chain:
        if record.seen(merge.id):
            return Applied(merge_told(merge, record, Outcome.parse(record.outcome(merge.id)), survivor))
    if is_held(absorbed, chain[1:]):
        return Applied(merge_told(merge, survivor, Outcome(survivor.revision, []), survivor))
    outcome = Outcome(survivor.next_revision(), _unite(people, survivor, absorbed))
    survivor.remember(merge.id, now, outcome.dump())
    return Applied(merge_told(merge, survivor, outcome, survivor))


def release(people: People, merges: Iterable[IdentitiesMerged]) -> None:
    """Let each redirect go of what the survivor holds by now."""
    for merge in merges:
        absorbed, *holders = chain_of(people, record_id(merge.tenant, merge.absorbed))
        if is_held(absorbed, holders) and (absorbed.parts or len(absorbed.recent)):
            absorbed.replace_parts({})
            absorbed.leave(set())
            absorbed.absorbed = set()
            absorbed.computed = None
            absorbed.recent = Recent()
            absorbed.touch()


def is_held(absorbed: Profile, holders: Iterable[Profile]) -> bool:
    """Whether one of the records it leads to has taken it in; that one may be on its way into the next."""
    return any(absorbed.profile_id in holder.absorbed for holder in holders)


def _unite(people: People, survivor: Profile, absorbed: Profile) -> list[str]:
    """All of the absorbed record becomes the survivor's; the names of the traits whose value changed."""
    before = survivor.joined.traits
    drop_taken(survivor, absorbed)
    drop_taken(absorbed, survivor)
    survivor.parts = union(survivor.parts, without_doubles(survivor, absorbed, absorbed.parts))
    survivor.absorbed |= {absorbed.profile_id} | absorbed.absorbed
    survivor.recent.absorb(memory_of(absorbed))
    for identifier, away in absorbed.parted.items():
        survivor.note([identifier], away)
    survivor.leave(gone(people, survivor))
    return survivor.differs_from(before)
