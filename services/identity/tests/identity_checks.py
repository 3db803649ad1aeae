"""What must hold in every world of the simulator, whatever happened in it."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from cdp_identity.domain.entities import Away, Entity, Merge
from cdp_identity.domain.facts import Resolution
from cdp_identity.domain.identifiers import Identifier
from cdp_identity.domain.marks import Mark, device_profile, joined
from cdp_identity.domain.rules import DAY_MS, DEVICES, USER, Rules
from cdp_identity.domain.sightings import Sighting
from cdp_identity.domain.verdicts import Verdict
from cdp_identity.store import MemoryGraphStore
from cdp_identity.store.history import Ways
from identity_simulator import World


def root_of(store: MemoryGraphStore, entity_id: UUID, name: str = "") -> Entity:
    entity, seen, epoch = store.population[entity_id], {entity_id}, 0
    while True:
        away = entity.parted.get(name)
        if away and away.epoch > epoch:
            epoch, following, seen = away.epoch, away.entity, set()
        elif entity.state == "merged":
            assert entity.into is not None
            following = entity.into
        else:
            break
        assert following not in seen, "redirects form a circle"
        seen.add(following)
        entity = store.population[following]
    assert entity.state == "active", "a merge was left half done"
    return entity


def check(world: World) -> None:
    """What must hold for ever, whatever happened."""
    store = world.store
    roots = {name: root_of(store, pointer.entity, name) for name, pointer in store.pointing.items()}
    check_persons(world, roots)
    check_merges(world, roots)
    check_partition(world, roots)
    check_splits(world)
    check_readers(world, roots)
    check_marks(world, roots)
    for partition in world.partitions:
        for sighting in partition.events:
            assert sighting.event in world.told, "an event was committed and never told"
            for resolution in world.told[sighting.event]:
                check_attribution(store, roots, sighting, resolution)


def check_attribution(
    store: MemoryGraphStore, roots: dict[str, Entity], sighting: Sighting, resolution: Resolution
) -> None:
    """It is its first identifier's person's, but for those that are blocked and for shared devices."""
    part = resolution.part
    names = [*(i.pseudonym for i in sighting.identifiers), sighting.subject]
    if part not in names:  # a shared device, attributed by the user who was last logged in on it
        marks = [mark_of(roots, name, "shared") or mark_of(roots, name, "blocked") for name in names]
        assert any(mark and part in {user for _, user in mark.owners} for mark in marks)
        assert root_of(store, resolution.profile_id, part).id == roots[part].id
        return
    passed_over = names[: names.index(part)]
    assert all(mark_of(roots, name, "blocked") for name in passed_over), "an identifier was passed over"
    shared = mark_of(roots, part, "shared") or mark_of(roots, part, "blocked")
    if shared and resolution.profile_id == device_profile(part):
        assert sighting.user is None or mark_of(roots, sighting.user, "blocked")
        return
    persons = {roots[part].id}
    if shared:
        persons |= {roots[user].id for _, user in shared.owners}
    assert root_of(store, resolution.profile_id, part).id in persons


def mark_of(roots: dict[str, Entity], name: str, state: str) -> Mark | None:
    mark = roots[name].marks.get(name) if name in roots else None
    return mark if mark and mark.state == state else None


def one_set_of_rules(world: World) -> bool:
    return len({id(s.rules) for partition in world.partitions for s in partition.events}) == 1


def check_counts(rules: Rules, identifiers: list[Identifier]) -> None:
    """No person has more of a kind than it may ever have."""
    for kind, number in Counter(identifier.kind for identifier in identifiers).items():
        limit = rules.bounds.limit(kind)
        assert limit.days or number <= limit.count or kind == "subject", f"{number} {kind}s in one person"


def check_persons(world: World, roots: dict[str, Entity]) -> None:
    store = world.store
    held: dict[UUID, set[str]] = {}
    for name, root in roots.items():
        held.setdefault(root.id, set()).add(name)
    for root_id, names in held.items():
        users = {name for name in names if store.pointing[name].identifier.kind == USER}
        assert len(users) <= 1, f"{len(users)} users in one person"
        assert len(names) <= store.population[root_id].size
        if one_set_of_rules(world):
            check_counts(world.partitions[0].events[0].rules, [store.pointing[name].identifier for name in names])
        claimed = {identifier.pseudonym for identifier in store.population[root_id].claims}
        assert {name for name in names if store.pointing[name].identifier.kind != "subject"} <= claimed


def check_merges(world: World, roots: dict[str, Entity]) -> None:
    below: dict[UUID, set[UUID]] = {}
    for entity in world.store.population.values():
        if entity.state == "merged":
            root = root_of(world.store, entity.id)
            below.setdefault(root.id, set()).add(entity.id)
            if not world.parted:
                assert joined(root.marks, entity.marks) == root.marks, "a merge lost a mark"
    stored: set[Merge] = set()
    for root_id, absorbed in below.items():
        root = world.store.population[root_id]
        merges = {merge for merge in root.merges if root_of(world.store, merge.absorbed).id == root_id}
        assert len(merges) == len(absorbed), "an entity was absorbed twice"
        assert {merge.absorbed for merge in merges} == absorbed
        stored.update(merges)
    told = {merge for tellings in world.told.values() for telling in tellings for merge in telling.merges}
    assert told == stored, "what was told is not what was done"
    for event, tellings in world.told.items():
        final = {merge for merge in stored if merge.link.event == event}
        assert set(tellings[-1].merges) <= final
        assert {merge for telling in tellings for merge in telling.merges} == final
    check_refusals(world, roots)


def check_refusals(world: World, roots: dict[str, Entity]) -> None:
    """Each is told, unless another event made the two one before it could be, or one of them was blocked."""
    told = {refusal for tellings in world.told.values() for telling in tellings for refusal in telling.refusals}
    stored = set(world.store.refused.values())
    assert told <= stored
    for refusal in stored - told:
        ends = refusal.link.first, refusal.link.other
        overtaken = roots[ends[0]].id == roots[ends[1]].id or any(mark_of(roots, e, "blocked") for e in ends)
        assert overtaken or world.parted, "a refusal was never told"


def check_marks(world: World, roots: dict[str, Entity]) -> None:
    """A device that two users were seen with is marked, and so is what too many asked for.

    Unmerges may take away what was the reason, and what it was due to.
    """
    store = world.store
    if world.unmerges:
        return
    rules = {s.event: s.rules for partition in world.partitions for s in partition.events}
    for refusal in store.refused.values():
        identifier = store.pointing[refusal.link.other].identifier
        policy = rules[refusal.link.event].shared_devices
        if refusal.limit == "user_id:1" and identifier.kind in DEVICES and policy != "first_owner":
            assert identifier.pseudonym in roots[identifier.pseudonym].marks, "a shared device was not marked"
    if world.smooth and len(world.partitions) == 1:
        check_marks_in_order(store, roots, rules)


def check_marks_in_order(store: MemoryGraphStore, roots: dict[str, Entity], rules: dict[UUID, Rules]) -> None:
    """What a lone worker that nothing happened to has done."""
    refused = {refusal.link.pair for refusal in store.refused.values()}
    fan_in = max(r.fan_in for r in rules.values())
    times = [refusal.link.seen_at for refusal in store.refused.values()]
    for name in roots:
        asked = {refusal.link.pair for refusal in store.refused.values() if name in refusal.link.pair.split(".")}
        if len(asked) >= fan_in and max(times) - min(times) < DAY_MS:
            assert mark_of(roots, name, "blocked"), "what too many asked for was not blocked"
    together: dict[str, set[str]] = {}  # by what was seen so far; a lone worker notes it in the order of events
    for link in store.evidence.values():
        for name in (link.first, link.other):
            mark = mark_of(roots, name, "shared")
            if mark and link.seen_at > mark.since and rules[link.event].shared_devices != "first_owner":
                known = link.other in together.get(link.first, ())
                assert known or link.pair in refused, "somebody was joined through a shared device"
        if link.pair not in refused:
            both = together.get(link.first, {link.first}) | together.get(link.other, {link.other})
            together |= dict.fromkeys(both, both)


def check_splits(world: World) -> None:
    """An unmerge tells the same again, and who was parted stays apart unless somebody takes that back."""
    for done in world.parted:
        same = [other for other in world.parted if other.unmerge == done.unmerge]
        assert same == [done] * len(same), "an unmerge was told in two ways"
        ids = [done.kept, *(entity for entity, _ in done.partings)]
        numbers = {asked.id: number for number, asked in world.asked.items()}
        later = [a for n, a in world.asked.items() if n > numbers[done.unmerge] and isinstance(a, Verdict)]
        if not later:
            assert len({root_of(world.store, id_).id for id_ in ids}) == len(ids), "who was parted came together"
    done_splits = {key for entity in world.store.population.values() for key in entity.splits}
    assert {done.key for done in world.parted} == done_splits, "a split was never told"


def check_readers(world: World, roots: dict[str, Entity]) -> None:
    """Whoever reads only what was told comes to the same persons as the graph."""
    told = [resolution for tellings in world.told.values() for resolution in tellings]
    into = {merge.absorbed: merge.survivor for resolution in told for merge in resolution.merges}
    parted: dict[UUID, dict[str, Away]] = {}
    for done in world.parted:
        for entity, names in done.partings:
            parted.setdefault(done.kept, {}).update({name: Away(done.epoch, entity) for name in names})
    for resolution in told:
        if resolution.profile_id in world.store.population:
            person = Ways(into, parted).lead(resolution.profile_id, resolution.part)
            assert person == roots[resolution.part].id or roots[resolution.part].marks, "readers were led astray"


def check_partition(world: World, roots: dict[str, Entity]) -> None:
    """Who is linked is one person, unless that was refused; and nobody is one person without links."""
    store = world.store
    component = {name: name for name in roots}

    def top(name: str) -> str:
        while component[name] != name:
            name = component[name]
        return name

    refused = {refusal.link.pair for refusal in store.refused.values()}
    for link in store.evidence.values():
        if link.reverted_by:
            continue
        blocked = mark_of(roots, link.first, "blocked") or mark_of(roots, link.other, "blocked")
        if link.first not in roots or link.other not in roots:
            assert blocked, "a link leads nowhere"
        elif roots[link.first].id == roots[link.other].id:
            component[top(link.first)] = top(link.other)
        else:
            assert link.pair in refused or blocked, "a union was lost"
    if not world.parted:
        assert len({top(name) for name in roots}) == len({root.id for root in roots.values()})
