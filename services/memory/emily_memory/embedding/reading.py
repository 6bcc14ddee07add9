"""What a model is given to read: the beginning of any text, without what no tokenizer takes."""

from __future__ import annotations

import re

_UNREADABLE = re.compile("[\0\ud800-\udfff]")


def readable(text: str, characters: int) -> str:
    """The first characters after leading space; NUL and lone surrogates become U+FFFD."""
    return _UNREADABLE.sub("\ufffd", text.lstrip()[:characters])
