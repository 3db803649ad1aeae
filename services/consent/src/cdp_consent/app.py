"""The role of the service, wired. Nothing connects before it starts."""

from __future__ import annotations

from functools import partial

from cdp_runtime.app import Role, role
from cdp_runtime.peppers import note_pepper

from cdp_consent.handlers import policy_table, stages
from cdp_consent.settings import Settings
from cdp_consent.store import MongoConsentStore


def build_gate(settings: Settings | None = None) -> Role:
    """The gate: validated events in, permitted and withheld ones out. A bad setting fails here, by its name."""
    settings = settings or Settings()
    consents = MongoConsentStore(settings.mongo)
    policies, pseudonyms = policy_table(), settings.privacy.pseudonyms
    return role(
        "consent-gate",
        kafka=settings.kafka,
        stages=stages(consents, policies, pseudonyms),
        tables=[policies],
        resources=[consents],
        before=[consents.migrate, partial(note_pepper, consents.database, pseudonyms)],
    )
