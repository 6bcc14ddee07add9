"""Rotation of secrets that Emily made, while she goes on."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import subprocess
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from emily_bus.settings import EMBEDDED_FILE

from emily.backup_ask import rekeyed
from emily.errors import CommandError
from emily.init import ADDRESSES, FILE_MODE, PASSWORD_BYTES
from emily.secret_list import Owned

ITERATIONS = 4096
"""As PostgreSQL makes verifiers."""
COMPOSE_TIMEOUT_S = 60.0
OF_BUS = "emily down; remove bus.password and bus.passwords; emily up"


def rotate(state_dir: Path, owned: Owned) -> None:
    """Put another value in the place of a secret, wherever it is known.

    Raises:
        CommandError: It can't be done here; nothing was changed, or the next try goes on.
        OSError: A file can't be written.
    """
    file = state_dir / owned.file
    if owned.how == "tokens":
        lines = [f"{name} {secrets.token_urlsafe(PASSWORD_BYTES)}\n" for name in _names(file)]
        overwrite(file, "".join(lines))
    elif owned.how == "repository":
        rekeyed(state_dir)
    elif owned.how == "database":
        _database(file)
    else:
        elsewhere = "docs/how-to/run-with-compose.md says how"
        raise CommandError(
            f"{owned.file}: is rotated by hand", OF_BUS if owned.file == EMBEDDED_FILE else elsewhere
        )


def verifier(password: str, salt: bytes) -> str:
    """What PostgreSQL keeps in place of a password (RFC 5803): who reads it can't log in with it."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_, stored_, server_ = (base64.b64encode(each).decode() for each in (salt, stored, server))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt_}${stored_}:{server_}"


def overwrite(file: Path, text: str) -> None:
    """Write a file in place: a container that has it mounted sees what it says, not what takes its place."""
    with file.open("r+") as there:
        there.write(text)
        there.truncate()
        there.flush()
        os.fsync(there.fileno())


def _names(file: Path) -> list[str]:
    return [line.split()[0] for line in file.read_text().splitlines() if line.strip()]


def _database(file: Path) -> None:
    """Give the role of all services another password: the database first, then whoever reads it.

    Connections that are open go on. The new one is on disk before the database has it, so a try that was cut
    off is gone on with.
    """
    folder = file.parent
    addresses = [each for each in (folder / name for name in ADDRESSES) if each.exists()]
    roles = {unquote(urlsplit(each.read_text().strip()).username or "") for each in addresses}
    if len(roles) != 1 or not (role := roles.pop()).isidentifier():
        raise CommandError(f"{folder}: the *_database_url do not name one role", "rotate each by hand")
    new = file.with_name(f"{file.name}.new")
    if not new.exists():
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w") as made:
            made.write(secrets.token_hex(PASSWORD_BYTES))
    password = new.read_text().strip()
    statement = f"ALTER ROLE {role} PASSWORD '{verifier(password, os.urandom(16))}';"
    _in_database(folder.absolute().parent.parent, statement)
    for each in addresses:
        overwrite(each, _with_password(each.read_text().strip(), password))
    overwrite(file, password)
    new.unlink()


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{quote(password, safe='')}@{host}"))


def _in_database(project: Path, statement: str) -> None:
    """Let the superuser of the container say it, whom only the container itself lets in; over stdin."""
    psql = ["psql", "-U", "postgres", "-qv", "ON_ERROR_STOP=1"]
    command = ["docker", "compose", "exec", "-T", "postgres", *psql]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            input=statement,
            cwd=project,
            capture_output=True,
            text=True,
            timeout=COMPOSE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise CommandError(f"docker compose: {failure}", "run it where Docker is") from None
    if done.returncode != 0:
        said = done.stderr.strip() or "it said nothing"
        raise CommandError(f"the database did not take it: {said}", "docker compose up -d --wait postgres")
