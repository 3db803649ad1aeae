"""The number that is drawn for a person: who is in a sample hangs on nothing else."""

from __future__ import annotations

from hashlib import blake2b


def draw(profile_id: str) -> int:
    """31 bits of a hash of the profile's id."""
    return int.from_bytes(blake2b(profile_id.encode(), digest_size=4).digest()) >> 1
