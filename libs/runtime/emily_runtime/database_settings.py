"""Which database a service keeps its data in, as its settings say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from emily_runtime.errors import SettingsError
from emily_runtime.secrets import Secrets
from emily_runtime.secrets.reference import SecretReference
from emily_runtime.settings import ServiceSettings


class DatabaseSettings(ServiceSettings, frozen=True, kw_only=True):
    """Settings of a service that has a database."""

    database_url_secret: Annotated[
        SecretReference | None,
        Meta(
            description="Where the URL of the database is kept, password included: "
            "env:NAME, file:PATH or infisical:/PATH/NAME"
        ),
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
            SettingsError: The file can't be read, or the secret is refused.
            SecretUnavailable: The server that keeps it is away.
        """
        if self.database_url_secret is not None:
            secrets = secrets or Secrets()
            return secrets.read(self.database_url_secret, purpose="database_url_secret").reveal()
        if self.database_url_file is None:
            return self.database_url
        try:
            return self.database_url_file.read_text().strip()
        except OSError as failure:
            raise SettingsError(
                f"database_url_file={self.database_url_file}: {failure.strerror}; "
                "name a file that the service may read"
            ) from None
