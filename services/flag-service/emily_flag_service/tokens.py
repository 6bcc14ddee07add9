"""Who may change flags: a file of names and tokens, read at each request, so that tokens can be changed."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from emily_flag_service.errors import Closed, Unauthorised

SHORTEST = 16
SCHEME = "bearer"
FIRST_NAME = "operator"


def make_missing(file: Path) -> bool:
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
        made.write(f"{FIRST_NAME} {secrets.token_urlsafe(32)}\n")
    return True


def owner_of(authorization: str | None, file: Path) -> str:
    """Whose token an Authorization header holds.

    Raises:
        Unauthorised: It holds none that the file knows.
        Closed: The file can't be read.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != SCHEME or not token.strip():
        raise Unauthorised(
            "Authorization: send 'Bearer TOKEN', with a token of the flag-service's token file"
        )
    given = _digest(token.strip())
    found = None
    for name, known in read(file).items():
        if hmac.compare_digest(given, _digest(known)):
            found = name
    if found is None:
        raise Unauthorised("Authorization: the token is not known")
    return found


def read(file: Path) -> dict[str, str]:
    """Tokens by name.

    Raises:
        Closed: The file can't be read, or a line is not NAME TOKEN.
    """
    try:
        lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as failure:
        raise Closed(f"token_file: {type(failure).__name__}; give lines NAME TOKEN") from None
    for number, words in enumerate(lines, start=1):
        if len(words) != 2 or len(words[1]) < SHORTEST:
            raise Closed(f"token_file: line {number} is not NAME TOKEN with at least {SHORTEST} characters")
    return {words[0]: words[1] for words in lines}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
