"""Who may do what on the broker, from the registry: a role is the user of its name, and may do what it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from cdp_contracts.topics import (
    DEAD_LETTER_READERS,
    OUTSIDERS,
    TOPICS,
    dead_letter_topics,
    roles_reading,
)

Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs"]
Resource = Literal["topic", "group", "cluster"]

OPERATORS: Final = "operators"
AUTOSCALER: Final = "autoscaler"


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One thing that one user may do; `prefixed`: on all whose name begins so. Read and Write imply Describe."""

    user: str
    resource: Resource
    name: str
    operation: Operation
    prefixed: bool = False


def acls() -> tuple[Acl, ...]:
    """Everything that is allowed, in a stable order; whatever is not here is not."""
    allowed = {*of_topics(), *of_dead_letters(), *of_operators()}
    return tuple(sorted(allowed))


def of_topics() -> Iterator[Acl]:
    """Producers write. Consumers read, in groups named after them; the autoscaler sees how far ours are behind."""
    for topic in TOPICS:
        for user in topic.producers:
            yield Acl(user, "topic", topic.name, "Write")
        for user in topic.consumers:
            yield Acl(user, "topic", topic.name, "Read")
            if user in OUTSIDERS or not topic.table:
                yield Acl(user, "group", group_prefix(user), "Read", prefixed=True)
        for role in () if topic.table else roles_reading(topic):
            yield Acl(AUTOSCALER, "topic", topic.name, "Describe")
            yield Acl(AUTOSCALER, "group", group_prefix(role), "Describe", prefixed=True)


def of_dead_letters() -> Iterator[Acl]:
    """A role sets aside what it could not handle of the topics that it reads; some read what others set aside."""
    for name in dead_letter_topics():
        for reader in DEAD_LETTER_READERS:
            yield Acl(reader, "topic", name, "Read")
    for topic in TOPICS:
        for role in () if topic.table else roles_reading(topic):
            yield Acl(role, "topic", topic.dead_letters(role.split("-")[0]), "Write")


def of_operators() -> Iterator[Acl]:
    """The people behind `cdp`: they create topics, look into all, and put letters back; they delete none."""
    yield Acl(OPERATORS, "cluster", "kafka-cluster", "Create")
    for name in (*(topic.name for topic in TOPICS), *dead_letter_topics()):
        for operation in ("Read", "Write", "DescribeConfigs"):
            yield Acl(OPERATORS, "topic", name, operation)
    yield Acl(OPERATORS, "group", f"{OPERATORS}.", "Read", prefixed=True)


def group_prefix(user: str) -> str:
    """A role's groups are `<role>.<stage>`; an outsider names its own after what it is."""
    return f"{user}."
