"""Who may give orders: names and tokens, read at each order, so that tokens can be changed."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import anyio.to_thread

from emily_runtime.errors import SecretRefused, SecretUnavailable, SettingsError
from emily_runtime.logs import get_logger
from emily_runtime.secrets import FileSource, SecretSource
from emily_runtime.secrets.setting import SecretSetting, given
from emily_runtime.secrets.trail import Trail
from emily_runtime.settings import ServiceSettings

SHORTEST = 16
SCHEME = "bearer"
FIRST_NAME = "operator"

_log = get_logger(__name__)


class Unauthorised(Exception):
    """No token, or none that is known."""


class TokensUnreadable(Exception):
    """The tokens can't be had, or are none."""


class Tokens:
    """Those that a secret lists.

    Args:
        source: Gives lines NAME TOKEN.
    """

    def __init__(self, source: SecretSource) -> None:
        self._source = source

    async def owner(self, token: str, *, field: str = "token") -> str:
        """Whose token it is.

        Raises:
            Unauthorised: It is not known.
            TokensUnreadable: They can't be read; the log says why.
        """
        try:
            known = await anyio.to_thread.run_sync(self.read)
        except (SecretRefused, SecretUnavailable) as failure:
            _log.warning("tokens can't be read", reason=str(failure))
            raise TokensUnreadable(f"{field}: the tokens can't be read; the log says why") from None
        given, found = _digest(token), None
        for name, each in known.items():
            if hmac.compare_digest(given, _digest(each)):
                found = name
        if found is None:
            raise Unauthorised(f"{field}: the token is not known")
        return found

    async def owner_of_header(self, authorization: str | None) -> str:
        """Whose token an Authorization header holds.

        Raises:
            Unauthorised: It holds none that is known.
            TokensUnreadable: They can't be read; the log says why.
        """
        return await self.owner(bearer(authorization), field="Authorization")

    def read(self) -> dict[str, str]:
        """Tokens by name.

        Raises:
            SecretRefused: A setting, a file or a permission has to be changed first.
            SecretUnavailable: The server that keeps them is away.
            TokensUnreadable: A line is not NAME TOKEN.
        """
        lines = [line.split() for line in self._source.read().reveal().splitlines() if line.strip()]
        for number, words in enumerate(lines, start=1):
            if len(words) != 2 or len(words[1]) < SHORTEST:
                raise TokensUnreadable(
                    f"tokens: line {number} is not NAME TOKEN with at least {SHORTEST} characters"
                )
        return {words[0]: words[1] for words in lines}


def tokens_of(settings: ServiceSettings, file: str, *, by: str) -> Tokens:
    """Those that `token_secret` or `token_file` of the settings name; else of a file in the state folder.

    Args:
        settings: Of the service.
        file: Its name there; it is made with a first token where there is none.
        by: The service, for the audit trail.

    Raises:
        SettingsError: They can't be read or made, or are none.
        SecretUnavailable: The server that keeps them is away.
    """
    source = given(settings, "token") or _own(settings.state_dir / file, by)
    tokens = Tokens(source)
    try:
        tokens.read()
    except TokensUnreadable as failure:
        raise SettingsError(f"token_secret: {failure}") from None
    return tokens


def make_missing(file: Path, *, by: str) -> bool:
    """Make a file with one token that only its owner can read, unless there is one; whether it was made.

    Args:
        file: In a state folder, whose audit trail gets a line.
        by: The service that makes it.

    Raises:
        TrailBroken: The trail is; nothing is made.
        OSError: It can't be written.
    """
    if file.exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            Trail(file.parent).making(file.name, by=by),
            os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made,
        ):
            made.write(f"{FIRST_NAME} {secrets.token_urlsafe(32)}\n")
    except FileExistsError:
        return False
    return True


def bearer(authorization: str | None) -> str:
    """The token in an Authorization header.

    Raises:
        Unauthorised: It holds none.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != SCHEME or not token.strip():
        raise Unauthorised("Authorization: send 'Bearer TOKEN', with a token that is known")
    return token.strip()


def first_token(source: SecretSource) -> str:
    """The token of who gives orders: TOKEN, or NAME TOKEN, in the first line of a secret.

    Raises:
        SecretRefused: A setting, a file or a permission has to be changed first.
        SecretUnavailable: The server that keeps it is away.
        TokensUnreadable: It holds none.
    """
    words = source.read().reveal().partition("\n")[0].split()
    if not 1 <= len(words) <= 2:
        raise TokensUnreadable("holds no token; write TOKEN, or NAME TOKEN, in its first line")
    return words[-1]


def read(file: Path) -> dict[str, str]:
    """Tokens of a file, by name.

    Raises:
        SecretRefused: The file can't be read, or others may read it.
        TokensUnreadable: A line is not NAME TOKEN.
    """
    return Tokens(FileSource(file)).read()


def _own(file: Path, by: str) -> SecretSource:
    try:
        if make_missing(file, by=by):
            _log.info("made a token", file=str(file))
    except OSError as failure:
        raise SettingsError(f"{file}: {failure.strerror}; name one with token_secret") from None
    return SecretSetting(f"file:{file}", name="state_dir")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
