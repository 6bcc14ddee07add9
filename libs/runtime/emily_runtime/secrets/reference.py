"""How a setting says where a secret is, without being one."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple, get_args

from msgspec import Meta

from emily_runtime.errors import SecretRefused

Kind = Literal["env", "file", "infisical"]

_ENVIRONMENT = r"env:[A-Za-z_][A-Za-z0-9_]*"
_FILE = r"file:.+"
_INFISICAL = r"infisical:/([A-Za-z0-9_-]+/)*[A-Za-z0-9_][A-Za-z0-9_.-]*"
_PLACES = {"env": _ENVIRONMENT, "file": _FILE, "infisical": _INFISICAL}

REFERENCES = "env:NAME, file:PATH or infisical:/PATH/NAME"
"""How people are told what a reference looks like."""
SecretReference = Annotated[str, Meta(pattern=f"^({'|'.join(_PLACES.values())})$")]
"""Of a setting that names a secret."""
LocalReference = Annotated[str, Meta(pattern=f"^({_ENVIRONMENT}|{_FILE})$")]
"""Of a setting that names a secret without which no server can be asked."""


class Reference(NamedTuple):
    """Where a secret is: the kind of its source, and its place there."""

    kind: Kind
    place: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.place}"


def referred(text: str) -> Reference:
    """What a reference refers to.

    Raises:
        SecretRefused: It is none. The message does not repeat it, since people paste the secret itself.
    """
    for kind in get_args(Kind):
        if re.fullmatch(_PLACES[kind], text):
            return Reference(kind, text.removeprefix(f"{kind}:"))
    raise SecretRefused(
        f"a reference to a secret is {REFERENCES}, and what is given is none; "
        "it is not shown, as it may be the secret itself"
    )
