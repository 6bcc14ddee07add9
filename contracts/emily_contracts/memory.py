"""Storing and recalling episodes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from emily_contracts.constraints import Name, Text
from emily_contracts.envelope import Message


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A remembered moment.

    Attributes:
        importance: In [0, 1].
        valence, arousal: Affect when it happened, in [-1, 1] and [0, 1].
        score: Of the match, when it was recalled.
    """

    id: UUID
    occurred_at: datetime
    content: Text
    kind: Name = "episode"
    importance: Annotated[float, Meta(ge=0, le=1)] = 0.5
    valence: Annotated[float, Meta(ge=-1, le=1)] | None = None
    arousal: Annotated[float, Meta(ge=0, le=1)] | None = None
    context: dict[str, str] = {}
    score: float | None = None


class StoreRequest(Message, frozen=True, kw_only=True):
    """An episode to keep; acknowledged when it is durable."""

    namespace: Name
    episode: Episode


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """Acknowledges a stored episode."""

    id: UUID
    new: bool


class RecallRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to recall."""

    namespace: Name
    text: Text
    limit: Annotated[int, Meta(ge=1, le=1000)] = 10
    as_of: datetime | None = None
    context: dict[str, str] = {}


class Recall(msgspec.Struct, frozen=True, kw_only=True):
    """Recalled episodes, best first."""

    episodes: tuple[Episode, ...]
