"""Bodies of the HTTP API: the contract's requests, whose envelope may be left out.

Who gives the `id` of a request may send it again: a request that comes twice has the effect of one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from emily_contracts import Episode, Message, StoreRequest, uuid7
from emily_contracts.constraints import Name
from emily_contracts.curation import EditRequest, EraseRequest, ForgetRequest, SupersedeRequest
from emily_runtime.problems import malformed
from msgspec import Meta

NOBODY = UUID(int=0)


def _now() -> datetime:
    return datetime.now(UTC)


def _identity() -> UUID:
    return uuid7(_now())


class EpisodeDraft(Episode, frozen=True, kw_only=True):
    """An episode; it happened now and gets an id unless these are given."""

    id: UUID = msgspec.field(default_factory=_identity)
    occurred_at: datetime = msgspec.field(default_factory=_now)


class StoreDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Episodes to keep in one namespace."""

    namespace: Name
    episodes: Annotated[tuple[EpisodeDraft, ...], Meta(min_length=1, max_length=1000)]

    def requests(self) -> list[StoreRequest]:
        """One for each episode."""
        at = _now()
        made = []
        for episode in self.episodes:
            identity = uuid7(at)
            made.append(
                StoreRequest(
                    id=identity, at=at, stimulus_id=identity, namespace=self.namespace, episode=episode
                )
            )
        return made


class EditDraft(EditRequest, frozen=True, kw_only=True):
    """A correction of the memory that the path names."""

    id: UUID = msgspec.field(default_factory=_identity)
    at: datetime = msgspec.field(default_factory=_now)
    stimulus_id: UUID = NOBODY
    memory_id: UUID = NOBODY


class SupersedeDraft(SupersedeRequest, frozen=True, kw_only=True):
    """What holds now instead of the memory that the path names."""

    id: UUID = msgspec.field(default_factory=_identity)
    at: datetime = msgspec.field(default_factory=_now)
    stimulus_id: UUID = NOBODY
    memory_id: UUID = NOBODY


class RestoreDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Where the memory is that the path names, and why it is brought back."""

    namespace: Name
    reason: Annotated[str, Meta(max_length=1024)] = ""


class EraseDraft(EraseRequest, frozen=True, kw_only=True):
    """Whom to erase."""

    id: UUID = msgspec.field(default_factory=_identity)
    at: datetime = msgspec.field(default_factory=_now)
    stimulus_id: UUID = NOBODY


def sent[M: Message](draft: M, **fields: Any) -> M:
    """The request that a draft stands for; it is the root of its own chain unless it names another."""
    root = draft.id if draft.stimulus_id == NOBODY else draft.stimulus_id
    return msgspec.structs.replace(draft, stimulus_id=root, **fields)


def fitting[S: msgspec.Struct](type: type[S], **fields: Any) -> S:
    """A request of the contract, made of parameters.

    Raises:
        ProblemError: A field does not fit.
    """
    try:
        return msgspec.convert(fields, type)
    except msgspec.ValidationError as failure:
        raise malformed(failure) from None


def forgetting(memory_id: UUID, **fields: Any) -> ForgetRequest:
    """A request to forget or restore.

    Raises:
        ProblemError: A field does not fit.
    """
    at = _now()
    identity = uuid7(at)
    return fitting(ForgetRequest, id=identity, at=at, stimulus_id=identity, memory_id=memory_id, **fields)
