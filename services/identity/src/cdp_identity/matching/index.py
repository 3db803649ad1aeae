"""Record at a time: who among those known may a new record be? No batch, no training, no second look."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from cdp_identity.matching.blocking import keys_of
from cdp_identity.matching.frequencies import Frequencies, terms_of
from cdp_identity.matching.judge import BY_DEVICE, Judgement, any_agrees, judge, personal
from cdp_identity.matching.record import MatchRecord
from cdp_identity.matching.store import MatchStore, MemoryMatchStore
from cdp_identity.matching.vetoes import USER_ID, vetoes


@dataclass(slots=True)
class MatchIndex:
    """All records seen, and which of them are taken for one person because nobody had to be asked."""

    store: MatchStore = field(default_factory=MemoryMatchStore)

    @property
    def frequencies(self) -> Frequencies:
        """How often each term was met."""
        return self.store.frequencies

    def add(self, record: MatchRecord) -> list[Judgement]:
        """Compare a record with those it shares a key with, then keep it; the matches, likeliest first.

        Bands `auto` and `review` only. `auto` joins the record to a person at once. A record of a known id takes
        the place of the old one and stays with its person.
        """
        keys = frozenset(keys_of(record))
        matches = self.matches(record, keys)
        known = self.store.get(record.id)
        self.store.put(record, keys)
        person, new_person = self.store.person(record.id), known is None
        counted = set(terms_of(known)) if known else set()
        for match in matches:
            if match.band == "auto":
                other = self.store.person(match.other)
                counted |= {t for key in self.store.members(other) for t in self._terms(key) if key != record.id}
                person, new_person = self.store.join(other, person), False
        if matches and known is None:
            self.frequencies.again += self.frequencies.is_again(matches[0].score)
        self.frequencies.add([t for t in terms_of(record) if t not in counted], new_person=new_person)
        return matches

    def matches(self, record: MatchRecord, keys: Collection[str]) -> list[Judgement]:
        """The records of other persons that may be of the same person, likeliest first; nothing is kept.

        Who shares a key is compared as a person: with all records, and all of them match if one does.
        """
        people = dict.fromkeys(self.store.person(key) for key in self.store.sharing(keys) if key != record.id)
        found = [self._compared(record, person) for person in people]
        found.sort(key=lambda matches: [(-match.score, match.other) for match in matches[:1]])
        return self._held(record, [match for matches in found for match in matches])

    def explain(self, one: str, other: str) -> Judgement:
        """What two records that are kept say about each other, vetoes included; KeyError for an unknown one."""
        records = [self.store.get(key) for key in (one, other)]
        if records[0] is None or records[1] is None:
            raise KeyError(one if records[0] is None else other)
        return judge(records[0], records[1], self.frequencies)

    def _terms(self, key: str) -> Iterator[tuple[str, str]]:
        record = self.store.get(key)
        return terms_of(record) if record else iter(())

    def _compared(self, record: MatchRecord, person: str) -> list[Judgement]:
        """What is thought of a person's records, likeliest first; nothing if it is nobody, or the record's own."""
        found: list[Judgement] = []
        for key in self.store.members(person):
            other = self.store.get(key)
            if other is not None and key != record.id:
                judgement = judge(record, other, self.frequencies)
                if judgement.at_home:
                    self.frequencies.meet_at_home(personal(judgement.fields), any_agrees(judgement.fields))
                found.append(judgement)
        found.sort(key=lambda match: (match.forbidden, -match.score, match.band == "none", match.other))
        if person == self.store.person(record.id) or not found or found[0].band == "none":
            return []
        return [replace(match, band=found[0].band, held=found[0].held) for match in found if not match.forbidden]

    def _held(self, record: MatchRecord, matches: list[Judgement]) -> list[Judgement]:
        """Look at whole persons: what contradicts one of a person's records is not joined to it unasked.

        Neither are two persons whom only this record connects.
        """
        own = self.store.person(record.id)
        joined = [own] if set(self.store.members(own)) - {record.id} else []
        looked_at: list[Judgement] = []
        for match in matches:
            person = self.store.person(match.other)
            clashes = {veto for key in self.store.members(person) for veto in self._vetoes(record, key)}
            if USER_ID in clashes:
                continue
            why = ""
            if match.band == "auto" and clashes:
                why = f"another record of the person: {', '.join(sorted(clashes))}"
            elif match.band == "auto" and person not in (own, *joined):
                if not all(self._akin(one, person) for one in joined):
                    why = "only this record connects two persons"
                else:
                    joined.append(person)
            looked_at.append(replace(match, band="review", held=why) if why else match)
        return looked_at

    def _vetoes(self, record: MatchRecord, key: str) -> Iterator[str]:
        other = self.store.get(key)
        return vetoes(record, other) if other and key != record.id else iter(())

    def _akin(self, person: str, other: str) -> bool:
        """Whether two persons have no contradiction and are alike by themselves."""
        pairs = [self.explain(a, b) for a in self.store.members(person) for b in self.store.members(other)]
        alike = any(pair.band != "none" and pair.held != BY_DEVICE for pair in pairs)
        return alike and not any(pair.vetoes for pair in pairs)
