"""A secret value that shows itself only to who asks for it by name."""

from __future__ import annotations

import hmac
from typing import NoReturn, SupportsIndex

LONGEST = 64 * 1024
"""Bytes of a secret: a URL, a token or a key with its chain, and no file that was named by mistake."""
_HIDDEN = "Secret(hidden)"


class Secret:
    """A text that no print, log, traceback, copy to disk or comparison gives away; `reveal` gives it."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_Secret__text", text)

    def reveal(self) -> str:
        """The text; for whoever sends it where it belongs, at once."""
        text: str = object.__getattribute__(self, "_Secret__text")
        return text

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """In a time that tells nothing of where two texts differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (each.reveal().encode(errors="surrogatepass") for each in (self, other))
        return hmac.compare_digest(mine, theirs)

    __hash__ = None  # type: ignore[assignment] # a hash would be a thing to compare by

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name}: a Secret does not change; make another")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret is not written anywhere; pass on its reference")
