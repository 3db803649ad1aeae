"""`python -m cdp_consent.verify`: walk every chain of the ledger. Exits 1 if one does not hold."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass

from cdp_runtime.settings import MongoSettings

from cdp_consent.domain.ledger import Break, Entry, Subject, verify
from cdp_consent.store import ConsentStore, MongoConsentStore


@dataclass(slots=True)
class Report:
    """What a walk found. Subjects are pseudonyms."""

    subjects: int = 0
    entries: int = 0
    broken: int = 0
    first_broken: str | None = None
    seq: int | None = None
    rule: str | None = None

    def note(self, subject: Subject, entries: list[Entry], found: Break | None) -> None:
        """Take in one chain."""
        self.subjects += 1
        self.entries += len(entries)
        if found:
            self.broken += 1
            if self.first_broken is None:
                self.first_broken, self.seq, self.rule = subject.id, found.seq, found.rule


async def walk(store: ConsentStore) -> Report:
    """Verify every chain. One that was being written meanwhile is read again before it is called broken."""
    report = Report()
    async for subject, entries in store.chains():
        found = verify(entries, subject)
        if found:
            subject, entries = await store.chain(subject.id)  # noqa: PLW2901  # the same one, as it stands now
            found = verify(entries, subject)
        report.note(subject, entries, found)
    return report


async def main(settings: MongoSettings) -> int:
    """Print the report as one line of JSON."""
    store = MongoConsentStore(settings)
    report = await walk(store)
    await store.close()
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(MongoSettings())))
