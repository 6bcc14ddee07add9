"""Storing and recalling episodes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from emily_contracts.constraints import Name, Text, require_finite, require_storable
from emily_contracts.envelope import Message

Unit = Annotated[float, Meta(ge=0, le=1)]
Signed = Annotated[float, Meta(ge=-1, le=1)]
Labels = dict[str, str]
"""Words by key, such as what was seen where."""


class Components(msgspec.Struct, frozen=True, kw_only=True):
    """What a score is the weighted sum of, each in [0, 1] before its weight.

    Attributes:
        dense: Likeness of meaning.
        lexical: BM25 against the best of the query.
        affect: Likeness of feeling; none when either side is unknown.
        recency: Of the last time it happened or was used, bounded.
        importance: As stored.
        use: How often it was recalled, bounded.
    """

    dense: float | None
    lexical: float
    affect: float | None
    recency: float
    importance: float
    use: float


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A remembered moment.

    Attributes:
        importance: In [0, 1].
        valence, arousal: Affect when it happened, in [-1, 1] and [0, 1].
        score: Of the match, when it was recalled.
        dominance: Third of the affect, in [-1, 1]; each of the three may be unknown.
        actor: Whom it is about or from; erasing an actor erases it.
        session: What it belongs together with.
        valid_from, valid_to: When it holds in the world; from its occurrence, and for ever, by default.
        expires_at: When it may be forgotten.
        pinned: Never forgotten by itself.
        components: Of the score, when an explanation was asked for.

    Raises:
        ValueError: A text holds NUL or a lone surrogate, a number is not finite, or a time has no zone.
    """

    id: UUID
    occurred_at: datetime
    content: Text
    kind: Name = "episode"
    importance: Unit = 0.5
    valence: Signed | None = None
    arousal: Unit | None = None
    context: Labels = {}
    score: float | None = None
    dominance: Signed | None = None
    actor: Name | None = None
    session: Name | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    expires_at: datetime | None = None
    pinned: bool = False
    components: Components | None = None

    def __post_init__(self) -> None:
        require_storable("content", self.content)
        for key, value in self.context.items():
            require_storable(f"context.{key}", value)
        require_finite("importance", (self.importance,))
        for name in ("valence", "arousal", "dominance"):
            value = getattr(self, name)
            if value is not None:
                require_finite(name, (value,))
        for name in ("occurred_at", "valid_from", "valid_to", "expires_at"):
            require_zone(name, getattr(self, name))
        begins = self.valid_from or self.occurred_at
        if self.valid_to is not None and self.valid_to <= begins:
            raise ValueError(f"valid_to: {self.valid_to.isoformat()} is not after {begins.isoformat()}")


def require_zone(field: str, at: datetime | None) -> None:
    """Refuse a time without a zone.

    Raises:
        ValueError: Names the field.
    """
    if at is not None and at.tzinfo is None:
        raise ValueError(f"{field}: {at.isoformat()} has no time zone; add one, such as Z")


class StoreRequest(Message, frozen=True, kw_only=True):
    """An episode to keep; acknowledged when it is durable."""

    namespace: Name
    episode: Episode


class LivedRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks a mind what it lived and holds for memory, and tells it what of that memory has.

    Attributes:
        kept: Experiences that are durable, or that nobody can keep: the mind lets go of just these.
    """

    kept: tuple[UUID, ...] = ()


class Lived(msgspec.Struct, frozen=True, kw_only=True):
    """The oldest experiences that a mind holds; none when memory has them all.

    Attributes:
        given_up: How many it ever let go before memory said that it has them, since it can't hold more.
    """

    experiences: tuple[StoreRequest, ...]
    given_up: int = 0


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """Acknowledges a stored episode.

    Attributes:
        id: Of the episode; of the one that holds the same content when it is not new.
        embedded: Whether it can be found by meaning already; by its words it can.
    """

    id: UUID
    new: bool
    embedded: bool = True


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which episodes are meant; what is not given selects nothing away.

    Attributes:
        as_of: Those that hold in the world at this time; now by default.
        known_at: Those that were on record at this time; now by default.
        occurred_from, occurred_before: When they happened.
        context: All of these words under these keys.
    """

    kinds: tuple[Name, ...] = ()
    actor: Name | None = None
    session: Name | None = None
    as_of: datetime | None = None
    known_at: datetime | None = None
    occurred_from: datetime | None = None
    occurred_before: datetime | None = None
    context: Labels = {}

    def __post_init__(self) -> None:
        for name in ("as_of", "known_at", "occurred_from", "occurred_before"):
            require_zone(name, getattr(self, name))
        for key, value in self.context.items():
            require_storable(f"context.{key}", value)


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """How much each component counts in a score, their weighted sum.

    0.6 dense and 0.4 BM25, both min-max normalised over the candidates, found most evidence on LoCoMo. Decay
    is one bounded term, so that age never hides a true answer.

    Attributes:
        use: At 0 a recall is no use: it isn't counted, and recency is that of what happened.
        recency_days: Age at which recency has fallen to 1/e.

    Raises:
        ValueError: A weight is below 0 or not finite, or all are 0.
    """

    dense: float = 0.6
    lexical: float = 0.4
    affect: float = 0.1
    recency: float = 0.05
    importance: float = 0.05
    use: float = 0.02
    recency_days: float = 30.0

    def __post_init__(self) -> None:
        total = 0.0
        for name in ("dense", "lexical", "affect", "recency", "importance", "use"):
            weight = getattr(self, name)
            require_finite(name, (weight,))
            if weight < 0:
                raise ValueError(f"{name}: {weight} is below 0")
            total += weight
        require_finite("recency_days", (self.recency_days,))
        if self.recency_days <= 0:
            raise ValueError(f"recency_days: {self.recency_days} is not above 0")
        if total == 0:
            raise ValueError("weights: all are 0; give at least one")

    @property
    def plain(self) -> bool:
        """Whether likeness of meaning is all that counts."""
        return not (self.lexical or self.affect or self.recency or self.importance or self.use)


class RecallRequest(Selection, frozen=True, kw_only=True):
    """What to recall.

    Attributes:
        text: Meaning and words that are looked for; empty looks for affect, recency and importance alone.
        valence, arousal, dominance: Of the present feeling; what is unknown does not count.
        explain: Whether each episode tells the components of its score.
        weights: Of the components; memory's own by default.
        present: When it is asked, for whoever lives in another time than the database; recency counts back
            from it.
        stimulus_id: What it is asked for, when it is.
    """

    namespace: Name
    text: Text
    limit: Annotated[int, Meta(ge=1, le=1000)] = 10
    valence: Signed | None = None
    arousal: Unit | None = None
    dominance: Signed | None = None
    explain: bool = False
    weights: Weights | None = None
    present: datetime | None = None
    stimulus_id: UUID | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_storable("text", self.text)
        require_zone("present", self.present)


class Recall(msgspec.Struct, frozen=True, kw_only=True):
    """Recalled episodes, best first.

    Attributes:
        path: How they were found: exact, hnsw, lexical when no embedder answered, or every.
        exhausted: Fewer than were asked for, because no more exist.
    """

    episodes: tuple[Episode, ...]
    path: str = "exact"
    exhausted: bool = False
