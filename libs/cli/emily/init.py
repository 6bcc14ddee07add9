"""`emily init`: makes the secrets that `docker compose up` needs; there are no default passwords."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from urllib.parse import quote

import msgspec
from emily_runtime.secrets.trail import Trail

from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, reports_errors, tell
from emily.errors import CommandError

OF_DATABASE = "postgres_password"
ADDRESSES = (
    "memory_database_url",
    "flag_service_database_url",
    "router_database_url",
    "deployer_database_url",
    "backup_agent_database_url",
)
"""Where each service finds the database, password included."""
TOKENS = ("flags_token", "traffic_token", "deploys_token")
"""Who may change flags, direct traffic, and deploy."""
OF_BUS = "bus_passwords"
"""Who is let in on the bus; its router reads it."""
BUS_USERS = ("control", "blue", "green")
"""Each finds its own password in `bus_USER`."""
OF_INFISICAL = ("infisical_keys", "infisical_postgres", "infisical_redis")
"""Of the server that keeps secrets, with the profile `secrets`: what it encrypts with, and passwords."""
OF_BACKUPS = "backup_password"
"""Opens what the backup-agent writes, with the profile `ops`."""
PASSWORD_BYTES = 24
FOLDER_MODE = 0o700
FILE_MODE = 0o644
"""The folder keeps others out; the file must be readable, since no server in a container is root."""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What `emily init --json` prints.

    Attributes:
        made: Files that are new.
        kept: Files that were there.
    """

    made: tuple[str, ...]
    kept: tuple[str, ...]


@reports_errors
def init(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Make the secrets for docker compose, once. What is there is never overwritten: exit 1 when all is.

    Example: emily init
    """
    report = make_secrets(state_dir / "secrets")
    tell(
        report,
        *(f"made {path}" for path in report.made),
        *(f"kept {path}" for path in report.kept),
        "Next: docker compose up -d --wait",
        as_json=as_json,
    )


def make_secrets(folder: Path) -> Made:
    """Passwords of the databases and the bus, where services find theirs, tokens of operators, and keys.

    Raises:
        CommandError: Everything is there, one can't be made, or one is there without what it belongs to.
    """
    password_file, *addresses = (folder / name for name in (OF_DATABASE, *ADDRESSES))
    tokens = [folder / name for name in TOKENS]
    backups = folder / OF_BACKUPS
    bus = [folder / name for name in (OF_BUS, *(f"bus_{user}" for user in BUS_USERS))]
    infisical = _of_infisical(folder)
    files = (password_file, *addresses, *tokens, backups, *bus, *infisical)
    kept = tuple(str(file) for file in files if file.exists())
    if len(kept) == len(files):
        raise CommandError(
            f"all of {folder} exists; nothing was overwritten",
            "go on with docker compose up; docs/how-to/run-with-compose.md tells how to change a password",
        )
    orphan = next((file for file in addresses if file.exists()), None)
    if orphan is not None and not password_file.exists():
        raise CommandError(
            f"{orphan} exists without {password_file.name}; nothing was made",
            "bring the password back from where you keep it, or move the address away to begin anew",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(FOLDER_MODE)
        if not password_file.exists():
            _write_new(password_file, secrets.token_hex(PASSWORD_BYTES))
            Trail(folder.parent).append(f"{folder.name}/{password_file.name}", "made")
        password = quote(password_file.read_text().strip(), safe="")
        address = f"postgresql://emily:{password}@postgres:5432/emily"  # pragma: allowlist secret
        contents = dict.fromkeys(addresses, address)
        contents |= {file: f"operator {secrets.token_urlsafe(PASSWORD_BYTES)}\n" for file in tokens}
        contents[backups] = secrets.token_urlsafe(PASSWORD_BYTES)
        contents |= _of_bus(folder) | infisical
        trail = Trail(folder.parent)
        for file, content in contents.items():
            if not file.exists():
                _write_new(file, content)
                trail.append(f"{folder.name}/{file.name}", "made")
    except OSError as failure:
        raise CommandError(
            f"{failure.filename}: {failure.strerror}", "choose a folder that can be written with --state-dir"
        ) from None
    return Made(made=tuple(str(file) for file in files if str(file) not in kept), kept=kept)


def _of_bus(folder: Path) -> dict[Path, str]:
    """The list of all users, and each one's own password; what is there of either decides."""
    every = folder / OF_BUS
    own = {user: folder / f"bus_{user}" for user in BUS_USERS}
    if every.exists():
        pairs = (line.partition(":") for line in every.read_text().split())
        listed = {user: password for user, _, password in pairs}
    else:
        kept = {user: file.read_text().strip() for user, file in own.items() if file.exists()}
        listed = {user: secrets.token_hex(PASSWORD_BYTES) for user in ("router", *BUS_USERS)} | kept
    unknown = next((user for user in BUS_USERS if not listed.get(user)), None)
    if unknown is not None:
        raise CommandError(
            f"{every} has no password of {unknown}", f"add a line {unknown}:PASSWORD, or move it away"
        )
    lines = "".join(f"{user}:{password}\n" for user, password in listed.items())
    return {every: lines} | {file: listed[user] for user, file in own.items()}


def _of_infisical(folder: Path) -> dict[Path, str]:
    """Keys as lines for a shell, in the lengths that Infisical asks for; each password alone."""
    keys, *passwords = (folder / name for name in OF_INFISICAL)
    signing = base64.b64encode(secrets.token_bytes(32)).decode()
    lines = f"ENCRYPTION_KEY={secrets.token_hex(16)}\nAUTH_SECRET={signing}\n"
    return {keys: lines} | {file: secrets.token_hex(PASSWORD_BYTES) for file in passwords}


def _write_new(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, FILE_MODE)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
