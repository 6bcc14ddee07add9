"""Who may give orders: a file of names and tokens, read at each order, so that tokens can be changed."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

SHORTEST = 16
SCHEME = "bearer"
FIRST_NAME = "operator"


class Unauthorised(Exception):
    """No token, or none that is known."""


class TokensUnreadable(Exception):
    """The file of tokens can't be read, or is not one."""


def make_missing(file: Path, name: str = FIRST_NAME) -> bool:
    """Make a file with one token that only its owner can read, unless there is one; whether it was made.

    Raises:
        OSError: It can't be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as made:
        made.write(f"{name} {secrets.token_urlsafe(32)}\n")
    return True


def bearer(authorization: str | None) -> str:
    """The token in an Authorization header.

    Raises:
        Unauthorised: It holds none.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != SCHEME or not token.strip():
        raise Unauthorised("Authorization: send 'Bearer TOKEN', with a token of the token file")
    return token.strip()


def owner_of_header(authorization: str | None, file: Path) -> str:
    """Whose token an Authorization header holds.

    Raises:
        Unauthorised: It holds none that the file knows.
        TokensUnreadable: The file can't be read.
    """
    return owner_of(bearer(authorization), file, field="Authorization")


def owner_of(token: str, file: Path, *, field: str = "token") -> str:
    """Whose token it is.

    Raises:
        Unauthorised: The file does not know it.
        TokensUnreadable: The file can't be read.
    """
    given, found = _digest(token), None
    for name, known in read(file).items():
        if hmac.compare_digest(given, _digest(known)):
            found = name
    if found is None:
        raise Unauthorised(f"{field}: the token is not known")
    return found


def read(file: Path) -> dict[str, str]:
    """Tokens by name.

    Raises:
        TokensUnreadable: The file can't be read, or a line is not NAME TOKEN.
    """
    try:
        lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as failure:
        raise TokensUnreadable(f"token_file: {type(failure).__name__}; give lines NAME TOKEN") from None
    for number, words in enumerate(lines, start=1):
        if len(words) != 2 or len(words[1]) < SHORTEST:
            raise TokensUnreadable(
                f"token_file: line {number} is not NAME TOKEN with at least {SHORTEST} characters"
            )
    return {words[0]: words[1] for words in lines}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
