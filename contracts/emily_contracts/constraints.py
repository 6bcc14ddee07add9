"""Value types with their bounds, used by the messages."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128)]
"""A word that can stand in a key expression: modality, channel, service."""

Text = Annotated[str, Meta(max_length=65_536)]

MAX_FLAGS = 16

Variants = Annotated[dict[Name, Annotated[str, Meta(max_length=128)]], Meta(max_length=MAX_FLAGS)]
"""Names of variants by flag."""

MAX_SIGNALS = 64
MAX_VALUES = 4096


def require_finite(field: str, values: Iterable[float]) -> None:
    """Refuse NaN and infinities.

    Raises:
        ValueError: Names the field, the index and the value.
    """
    for index, value in enumerate(values):
        if not math.isfinite(value):
            raise ValueError(f"{field}[{index}]: {value} is not a finite number")


def require_storable(field: str, text: str) -> None:
    """Refuse text that UTF-8 or PostgreSQL can't hold.

    Raises:
        ValueError: Names the field, the index and the character.
    """
    place = text.find("\0")
    if place >= 0:
        raise ValueError(f"{field}[{place}]: NUL can't be stored; leave it out")
    try:
        text.encode()
    except UnicodeEncodeError as failure:
        raise ValueError(f"{field}[{failure.start}]: a lone surrogate is no text") from None
