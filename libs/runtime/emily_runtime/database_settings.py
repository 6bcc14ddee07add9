"""Which database a service keeps its data in, as its settings say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from emily_runtime.errors import SettingsError
from emily_runtime.settings import ServiceSettings


class DatabaseSettings(ServiceSettings, frozen=True, kw_only=True):
    """Settings of a service that has a database."""

    database_url_file: Annotated[
        Path | None, Meta(description="File that holds the URL of the database, password included")
    ] = None
    database_url: Annotated[
        str | None,
        Meta(
            description="URL of the database without a password; else the embedded one in state_dir/postgres"
        ),
    ] = None

    def given_database(self) -> str | None:
        """The URL in the file, or else the one of the setting; none when the embedded database is meant.

        Raises:
            SettingsError: The file can't be read.
        """
        if self.database_url_file is None:
            return self.database_url
        try:
            return self.database_url_file.read_text().strip()
        except OSError as failure:
            raise SettingsError(
                f"database_url_file={self.database_url_file}: {failure.strerror}; "
                "name a file that the service may read"
            ) from None
