"""Which database a service keeps its data in, as its settings say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio.to_thread
from msgspec import Meta

from emily_runtime.errors import SecretRefused, SecretUnavailable
from emily_runtime.logs import get_logger
from emily_runtime.secrets import Secrets
from emily_runtime.secrets.reference import REFERENCES, SecretReference
from emily_runtime.secrets.setting import given
from emily_runtime.settings import ServiceSettings

_log = get_logger(__name__)


class DatabaseSettings(ServiceSettings, frozen=True, kw_only=True):
    """Settings of a service that has a database."""

    database_url_secret: Annotated[
        SecretReference | None,
        Meta(description=f"Where the URL of the database is kept, password included: {REFERENCES}"),
    ] = None
    database_url_file: Annotated[
        Path | None, Meta(description="File that holds the URL of the database, password included")
    ] = None
    database_url: Annotated[
        str | None,
        Meta(
            description="URL of the database without a password; else the embedded one in state_dir/postgres"
        ),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.database_url is not None and self.database_url_file is not None:
            raise ValueError("database_url and database_url_file: give one of them")
        if self.database_url_secret is not None and (self.database_url_file or self.database_url):
            raise ValueError("database_url_secret: give it alone, without database_url and database_url_file")

    def given_database(self, secrets: Secrets | None = None) -> str | None:
        """The URL that is kept as a secret, in the file, or in the setting; none means the embedded database.

        A secret on a server is waited for, within its deadline: on an event loop, ask from a thread.

        Raises:
            SecretRefused: A setting, a file or a permission has to be changed first.
            SecretUnavailable: The server that keeps it is away.
        """
        source = given(self, "database_url", secrets=secrets)
        return self.database_url if source is None else source.read().reveal().strip()


class DatabaseAddress:
    """The URL of the database as it is now: a password may be rotated while a service runs.

    Args:
        settings: Say where the URL is kept.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._secrets = Secrets()
        self._last: str | None = None

    async def __call__(self) -> str | None:
        """Read it anew; the last one serves on while it can't be read. None means the embedded database.

        Raises:
            SecretRefused: It could never be read: a setting, a file or a permission has to be changed.
            SecretUnavailable: It could never be read: the server that keeps it is away.
        """
        try:
            self._last = await anyio.to_thread.run_sync(self._settings.given_database, self._secrets)
        except (SecretRefused, SecretUnavailable) as failure:
            if self._last is None:
                raise
            _log.warning("the last database URL serves on", reason=str(failure))
        return self._last
