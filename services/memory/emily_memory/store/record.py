"""An episode as a row."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import msgspec
from emily_contracts import Episode
from psycopg.types.json import Jsonb

COLUMNS = {
    "id": "uuid",
    "namespace": "text",
    "actor": "text",
    "session": "text",
    "kind": "text",
    "content": "text",
    "content_hash": "bytea",
    "occurred_at": "timestamptz",
    "valid_from": "timestamptz",
    "valid_to": "timestamptz",
    "expires_at": "timestamptz",
    "pinned": "bool",
    "importance": "float4",
    "valence": "float4",
    "arousal": "float4",
    "dominance": "float4",
    "context": "jsonb",
    "source": "jsonb",
}
"""What is written, with types."""

STAGING = (
    f"CREATE TEMP TABLE staging ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())},"
    " embedding halfvec) ON COMMIT DELETE ROWS"
)
"""Where a batch waits for its place; each writing connection has one."""

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_json = msgspec.json.Encoder().encode


def content_hash(episode: Episode) -> bytes:
    """16 bytes that are the same when the same moment is stored again, under whatever id."""
    what = (
        episode.kind,
        episode.actor,
        episode.session,
        episode.content,
        episode.occurred_at,
        episode.context,
    )
    return hashlib.blake2b(_encode(what), digest_size=16).digest()


def row(namespace: str, episode: Episode, source: dict[str, str]) -> tuple[Any, ...]:
    """In the order of `COLUMNS`."""
    return (
        episode.id,
        namespace,
        episode.actor,
        episode.session,
        episode.kind,
        episode.content,
        content_hash(episode),
        episode.occurred_at,
        episode.valid_from or episode.occurred_at,
        episode.valid_to,
        episode.expires_at,
        episode.pinned,
        episode.importance,
        episode.valence,
        episode.arousal,
        episode.dominance,
        Jsonb(episode.context, dumps=_json),
        Jsonb(source, dumps=_json),
    )


class Kept(msgspec.Struct, frozen=True):
    """What became of an episode that was to be stored.

    Attributes:
        id: Of the episode that holds it.
        new: Whether it was stored now.
        refused: Why it was not stored and is not known either.
    """

    id: UUID
    new: bool
    refused: str | None = None
