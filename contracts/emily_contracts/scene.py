"""What a world shows to a person who watches; no tier of the mind hears it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from emily_contracts.constraints import Name
from emily_contracts.envelope import Message


class Scene(Message, frozen=True, kw_only=True):
    """The whole picture of which the mind sees one place at a time.

    Attributes:
        width, height: In places; place = row * width + column.
        values: Row by row, `width * height` of them, in `scale`.
        scale: Lowest and highest value.
        index: Of this episode in the run, from 0.
        total: Episodes of the run.
        strategy: How places are chosen: `active`, `random` or `whole`.
        label: What the picture shows, for the score that a person reads.
    """

    modality: Name
    subject: Name
    episode: Name
    width: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]
    values: tuple[float, ...]
    scale: tuple[float, float]
    index: int
    total: int
    strategy: Name
    label: Name | None = None
