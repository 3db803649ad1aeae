"""Contradictions: two records that have one are never joined unasked, however much they share.

A family shares surname, address, landline and often an e-mail address, so agreement alone would merge it.
"""

from __future__ import annotations

from collections.abc import Iterator

from cdp_identity.matching.compare import birth_level
from cdp_identity.matching.compare_names import given_level, is_moved, middle_level
from cdp_identity.matching.names import Name, are_nicknames
from cdp_identity.matching.record import MatchRecord

USER_ID = "user_id"


def vetoes(one: MatchRecord, other: MatchRecord) -> Iterator[str]:
    """The fields in which two records contradict each other."""
    if one.user_ids and other.user_ids and one.user_ids.isdisjoint(other.user_ids):
        yield USER_ID
    if given_level(one.name, other.name) in {"other", "few edits"} and not _called_otherwise(one.name, other.name):
        yield "given"
    if birth_level(one.birth, other.birth) == "other":
        yield "birth"
    if middle_level(one.name, other.name) == "other" and not _called_otherwise(one.name, other.name):
        yield "middle"
    if one.name.suffix and other.name.suffix and one.name.suffix != other.name.suffix:
        yield "suffix"


def forbid(one: MatchRecord, other: MatchRecord, found: tuple[str, ...]) -> bool:
    """Whether not even a person is asked: two `user_id`s, or two contradictions and no national id in common."""
    return USER_ID in found or (len(found) > 1 and not (one.national_id and one.national_id == other.national_id))


def _called_otherwise(one: Name, other: Name) -> bool:
    """Whether given and family, or given and middle name, are the other way round."""
    return is_moved(one, other) or _by_middle(one, other) or _by_middle(other, one)


def _by_middle(one: Name, other: Name) -> bool:
    return any(len(word) > 1 and are_nicknames(word, other.first) for word in one.middle)
