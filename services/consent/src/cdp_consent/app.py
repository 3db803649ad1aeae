"""The role of the service, wired. Nothing connects before it starts."""

from __future__ import annotations

from cdp_runtime.app import Role, role
from cdp_runtime.pseudonyms import Pseudonymizer

from cdp_consent.handlers import policy_table, stages
from cdp_consent.settings import Settings
from cdp_consent.store import MongoConsentStore


def build_gate(settings: Settings | None = None) -> Role:
    """The gate: validated events in, permitted and withheld ones out. A bad setting fails here, by its name."""
    settings = settings or Settings()
    consents = MongoConsentStore(settings.mongo)
    policies = policy_table()
    pseudonyms = Pseudonymizer(settings.privacy.pepper.get_secret_value().encode())
    return role(
        "consent-gate",
        kafka=settings.kafka,
        stages=stages(consents, policies, pseudonyms),
        tables=[policies],
        resources=[consents],
        before=[consents.migrate],
    )
