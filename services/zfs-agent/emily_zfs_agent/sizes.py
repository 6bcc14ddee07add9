"""Sizes as people and ZFS write them."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGTPE])(?:i?B)?|B)?", re.IGNORECASE | re.ASCII)
_UNITS = "KMGTPE"


def bytes_of(text: str) -> int:
    """Bytes of `16K`, `1.5M` or `131072`; what ZFS has rounded stays so.

    Raises:
        ValueError: It is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a size; write one such as 16K, 1M or 131072")
    number, unit = found.groups()
    return round(float(number) * 1024 ** (_UNITS.index(unit.upper()) + 1)) if unit else round(float(number))
