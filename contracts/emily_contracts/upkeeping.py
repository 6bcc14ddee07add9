"""How memory is kept in order: what lapses, what is consolidated, and which space answers."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from emily_contracts.constraints import Name

Count = Annotated[int, Meta(ge=0)]


class TidyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Let lapse what is due now, instead of at the next turn of upkeep.

    Attributes:
        namespace: Of which; of all by default.
        dry_run: Only count.
    """

    namespace: Name | None = None
    dry_run: bool = True


class Tidying(msgspec.Struct, frozen=True, kw_only=True):
    """What lapsed, or would.

    Attributes:
        expired: Archived, since their time was over.
        displaced: Archived, the least valuable of a namespace beyond its budget.
        purged: Deleted, archived longer than the grace.
        versions: Deleted with them: what they corrected.
        outdated: Summaries archived, since a source was corrected or a person forgot it.
        more: It stopped before the end, to answer in time: ask again.
    """

    expired: Count = 0
    displaced: Count = 0
    purged: Count = 0
    versions: Count = 0
    outdated: Count = 0
    dry_run: bool = True
    more: bool = False


class ConsolidateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Merge near-duplicates and sum up old sessions.

    Attributes:
        namespace: Of which; of all by default.
        dry_run: Only count.
    """

    namespace: Name | None = None
    dry_run: bool = True


class Consolidation(msgspec.Struct, frozen=True, kw_only=True):
    """What a consolidation did, or would.

    Attributes:
        compared: Memories that were looked at for duplicates.
        merged: Archived in favour of one that says the same.
        summaries: New memories of kind `summary`.
        summed_up: Memories that they name as their sources.
        deaf: Sessions left for later, since there was no embedder.
        more: It stopped before the end, to answer in time: ask again.
    """

    compared: Count = 0
    merged: Count = 0
    summaries: Count = 0
    summed_up: Count = 0
    deaf: Count = 0
    dry_run: bool = True
    more: bool = False


class ReembedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Move memory to the space of another embedder, or ask how far the move is.

    Attributes:
        to: Kind of the embedder: minilm, e5, http or hashing; none only asks.
    """

    to: Name | None = None


class Reembedding(msgspec.Struct, frozen=True, kw_only=True):
    """How far a move to another space is.

    Attributes:
        space: Key of the space that is built; of the one that answers when none is.
        state: It is active when the move is over.
        done: Memories that have a vector in it.
        total: Memories that shall have one.
    """

    space: str
    state: Literal["building", "active"]
    done: Count
    total: Count


class DropRetiredRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Remove the vectors of spaces that answered before."""


class DropRetired(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of the spaces that were removed."""

    spaces: tuple[str, ...]
