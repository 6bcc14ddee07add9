"""Which secrets are Emily's own: where each lies, who reads it, and how old it may get."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from emily_runtime.secrets.trail import Trail

POLICY = timedelta(days=90)
"""After which a secret is rotated."""

type How = Literal["tokens", "repository", "database", "by hand"]


class Owned(NamedTuple):
    """A secret that Emily made.

    Attributes:
        file: Under the state folder.
        readers: Parts that read it.
        how: It is rotated.
    """

    file: str
    readers: tuple[str, ...]
    how: How


_DATABASE = ("memory", "router", "flag-service", "deployer", "backup-agent")
OWNED = (
    Owned("bus.password", ("all parts",), "by hand"),
    Owned("backup.password", ("backup-agent",), "repository"),
    Owned("flags.token", ("flag-service", "emily flags"), "tokens"),
    Owned("traffic.token", ("router", "deployer", "emily traffic"), "tokens"),
    Owned("deploys.token", ("deployer", "emily deploy"), "tokens"),
    Owned("secrets/postgres_password", _DATABASE, "database"),
    Owned("secrets/flags_token", ("flag-service", "emily flags"), "tokens"),
    Owned("secrets/traffic_token", ("router", "deployer", "emily traffic"), "tokens"),
    Owned("secrets/deploys_token", ("deployer", "emily deploy"), "tokens"),
    Owned("secrets/backup_password", ("backup-agent",), "by hand"),
    Owned("secrets/bus_passwords", ("bus", "all parts"), "by hand"),
    Owned("secrets/infisical_keys", ("infisical",), "by hand"),
    Owned("secrets/infisical_postgres", ("infisical",), "by hand"),
    Owned("secrets/infisical_redis", ("infisical",), "by hand"),
)


class Standing(NamedTuple):
    """How a secret stands.

    Attributes:
        since: It is as it is: by the audit trail, else by the time of its file.
        due: When it is rotated next.
    """

    owned: Owned
    since: datetime
    due: datetime


def standing(state_dir: Path) -> Iterable[Standing]:
    """Every secret that is there.

    Raises:
        TrailBroken: The audit trail is.
    """
    entries, _ = Trail(state_dir).verified()
    told = {entry.secret: entry.at for entry in entries}
    for owned in OWNED:
        file = state_dir / owned.file
        if file.exists():
            since = told.get(owned.file) or datetime.fromtimestamp(file.stat().st_mtime, UTC)
            yield Standing(owned, since, since + POLICY)
