"""What people do with memories: look, correct, supersede, forget, erase, count."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from emily_contracts.constraints import Name, Text, require_storable
from emily_contracts.envelope import Message
from emily_contracts.memory import Episode, Labels, Selection, Signed, Unit, require_zone


class Memory(Episode, frozen=True, kw_only=True):
    """An episode with its record.

    Attributes:
        recorded_at: Since when it is on record.
        retracted_at: Since when it counts no more, because it was corrected; history keeps it.
        archived_at: Since when it is forgotten; it is purged after a grace.
        superseded_by: The memory that stands in its place.
        derived_from: The memories that it sums up or merges.
        source: Where it came from: stimulus and causation ids, the service, the import.
        embedded_in: Spaces in which it can be found by meaning.
        uses, used_at: How often and when it was last recalled.
    """

    namespace: Name
    recorded_at: datetime
    retracted_at: datetime | None = None
    archived_at: datetime | None = None
    superseded_by: UUID | None = None
    derived_from: tuple[UUID, ...] = ()
    source: dict[str, str] = {}
    embedded_in: tuple[str, ...] = ()
    uses: int = 0
    used_at: datetime | None = None


class ShowRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One memory, whatever became of it."""

    namespace: Name
    id: UUID


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What was done to a memory, without its content.

    Attributes:
        did: stored, edited, superseded, forgotten, restored, merged, purged, erased.
        reason: In a person's words.
    """

    at: datetime
    did: Name
    id: UUID
    other: UUID | None = None
    reason: str = ""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All versions of a memory, oldest first, and what was done to them."""

    versions: tuple[Memory, ...]
    changes: tuple[Change, ...]


class ListRequest(Selection, frozen=True, kw_only=True):
    """Memories in the order in which they happened, newest first, a page at a time.

    Attributes:
        archived: Those that are forgotten and not yet purged, instead of those that are held.
        after: `next` of the page before.
    """

    namespace: Name
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    archived: bool = False
    after: str | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some memories; `next` asks for those behind them and is none on the last page."""

    memories: tuple[Memory, ...]
    next: str | None = None


class EditRequest(Message, frozen=True, kw_only=True):
    """A correction: the old version was wrong and is retracted, what is not given stays."""

    namespace: Name
    memory_id: UUID
    content: Text | UnsetType = UNSET
    kind: Name | UnsetType = UNSET
    actor: Name | UnsetType | None = UNSET
    importance: Unit | UnsetType = UNSET
    valence: Signed | UnsetType | None = UNSET
    arousal: Unit | UnsetType | None = UNSET
    dominance: Signed | UnsetType | None = UNSET
    context: Labels | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    reason: Annotated[str, Meta(max_length=1024)] = ""

    def __post_init__(self) -> None:
        if isinstance(self.content, str):
            require_storable("content", self.content)
        if isinstance(self.expires_at, datetime):
            require_zone("expires_at", self.expires_at)
        require_storable("reason", self.reason)


class SupersedeRequest(Message, frozen=True, kw_only=True):
    """The world changed: the old memory held until `valid_from`, the new one holds from then on."""

    namespace: Name
    memory_id: UUID
    content: Text
    valid_from: datetime | None = None
    reason: Annotated[str, Meta(max_length=1024)] = ""

    def __post_init__(self) -> None:
        require_storable("content", self.content)
        require_storable("reason", self.reason)
        require_zone("valid_from", self.valid_from)


class ForgetRequest(Message, frozen=True, kw_only=True):
    """Archive a memory; it is purged after the grace, and `restore` brings it back until then."""

    namespace: Name
    memory_id: UUID
    restore: bool = False
    reason: Annotated[str, Meta(max_length=1024)] = ""

    def __post_init__(self) -> None:
        require_storable("reason", self.reason)


class EraseRequest(Message, frozen=True, kw_only=True):
    """Remove everything about an actor at once, with all that was derived from it.

    Attributes:
        dry_run: Only count.
    """

    namespace: Name
    actor: Name
    dry_run: bool = True


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure removed, or would.

    Attributes:
        memories: Of the actor, in every version.
        derived: Summaries and merges that drew on them.
        vectors: Embeddings of both.
        left: Found when looking again afterwards: 0 is the proof; none in a dry run.
        more: It stopped before the end, to answer in time: ask again; a dry run counted at least these.
    """

    memories: int
    derived: int
    vectors: int
    dry_run: bool
    left: int | None = None
    more: bool = False


class StatsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How much is remembered, of one namespace or of all."""

    namespace: Name | None = None


class NamespaceStats(msgspec.Struct, frozen=True, kw_only=True):
    """Of one namespace."""

    namespace: Name
    memories: int
    archived: int
    pinned: int
    actors: int
    first_at: datetime | None
    last_at: datetime | None
    bytes: int


class SpaceStats(msgspec.Struct, frozen=True, kw_only=True):
    """Of one embedding space.

    Attributes:
        active: Whether it serves recall.
        hot: Vectors not yet in the index.
        missing: Memories that have no vector in it yet.
    """

    key: str
    provider: str
    model: str
    sha256: str
    dimension: int
    semantic: bool
    active: bool
    indexed: int
    hot: int
    missing: int


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """How much is remembered."""

    namespaces: tuple[NamespaceStats, ...]
    spaces: tuple[SpaceStats, ...]
    schema_version: int
