"""What an Idempotency-Key stands for: one stimulus, known by its id and by what was asked."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from emily_contracts.envelope import uuid7
from emily_contracts.stimulus import StimulusDraft

_EPOCH = datetime.fromtimestamp(0, UTC)


def id_of_key(key: str) -> UUID:
    """The id of the stimulus that an Idempotency-Key names; the same at any time and in any process."""
    return uuid7(_EPOCH, hashlib.blake2b(key.encode(), digest_size=10).digest())


def digest_of(draft: StimulusDraft) -> bytes:
    """16 bytes that tell two bodies apart by what they mean, not by how they are written."""
    return hashlib.blake2b(msgspec.msgpack.encode(draft), digest_size=16).digest()
