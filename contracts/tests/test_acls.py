"""Access on the broker: every role may do what it does, and nothing else."""

from __future__ import annotations

from cdp_contracts.acls import AUTOSCALER, OPERATORS, Acl, acls
from cdp_contracts.generate.kafka import acl_line, acls_text
from cdp_contracts.topics import EVENTS_RECEIVED, EVENTS_VALIDATED, OUTSIDERS, POLICIES_DEFINED, TOPICS

ALLOWED = set(acls())


def may(user: str) -> set[Acl]:
    return {acl for acl in ALLOWED if acl.user == user}


def test_every_producer_may_write_and_every_consumer_read() -> None:
    for topic in TOPICS:
        assert {Acl(user, "topic", topic.name, "Write") for user in topic.producers} <= ALLOWED
        assert {Acl(user, "topic", topic.name, "Read") for user in topic.consumers} <= ALLOWED


def test_the_gate_may_do_what_it_does_and_nothing_else() -> None:
    assert may("consent-gate") == {
        Acl("consent-gate", "topic", EVENTS_VALIDATED.name, "Read"),
        Acl("consent-gate", "topic", POLICIES_DEFINED.name, "Read"),
        Acl("consent-gate", "topic", "cdp.events.withheld.v1", "Write"),
        Acl("consent-gate", "topic", "cdp.events.permitted.v1", "Write"),
        Acl("consent-gate", "topic", "cdp.events.validated.v1.consent.dlq", "Write"),
        Acl("consent-gate", "group", "consent-gate.", "Read", prefixed=True),
    }


def test_only_those_the_registry_names_and_people_may_write_what_senders_sent() -> None:
    writers = {a.user for a in ALLOWED if a.name == EVENTS_RECEIVED.name and a.operation == "Write"}
    assert writers == {*EVENTS_RECEIVED.producers, OPERATORS}


def test_nobody_may_delete_or_alter_and_only_people_create() -> None:
    assert {acl.operation for acl in ALLOWED} == {"Read", "Write", "Create", "Describe", "DescribeConfigs"}
    assert {acl.user for acl in ALLOWED if acl.operation == "Create"} == {OPERATORS}
    assert {acl.operation for acl in may(AUTOSCALER)} == {"Describe"}


def test_groups_of_different_users_never_overlap() -> None:
    prefixes = {acl.name: acl.user for acl in ALLOWED if acl.resource == "group" and acl.operation == "Read"}
    for prefix, user in prefixes.items():
        assert prefix == f"{user}."
        assert not [other for other in prefixes if other != prefix and other.startswith(prefix)]


def test_outsiders_touch_only_what_names_them() -> None:
    for user in set(OUTSIDERS) - {OPERATORS}:
        named = {t.name for t in TOPICS if user in (*t.producers, *t.consumers)}
        assert {acl.name for acl in may(user) if acl.resource == "topic"} == named


def test_a_line_is_what_the_command_takes() -> None:
    group = Acl("consent-gate", "group", "consent-gate.", "Read", prefixed=True)
    assert acl_line(group) == (
        "--add --allow-principal User:consent-gate --operation Read --group consent-gate."
        " --resource-pattern-type prefixed"
    )
    create = Acl(OPERATORS, "cluster", "kafka-cluster", "Create")
    assert acl_line(create) == "--add --allow-principal User:operators --operation Create --cluster"
    assert len(acls_text().splitlines()) == len(ALLOWED) + 1
