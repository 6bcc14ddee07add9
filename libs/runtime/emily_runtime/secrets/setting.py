"""A secret as settings give it: by reference in `NAME_secret`, or as the path of a file in `NAME_file`."""

from __future__ import annotations

from pathlib import Path

import msgspec

from emily_runtime.secrets.reading import Secrets
from emily_runtime.secrets.secret import Secret


class SecretSetting:
    """A `SecretSource` that a setting names.

    Args:
        reference: Where the secret is.
        name: Of the setting, for the log.
        secrets: Those of the process; others by default.
    """

    def __init__(self, reference: str, *, name: str, secrets: Secrets | None = None) -> None:
        self._reference = reference
        self._name = name
        self._secrets = secrets or Secrets()

    def read(self) -> Secret:
        """The secret as it is now.

        Raises:
            SecretRefused: A setting, a file or a permission has to be changed first.
            SecretUnavailable: The server that keeps it is away.
        """
        return self._secrets.read(self._reference, purpose=self._name)


def given(settings: msgspec.Struct, name: str, *, secrets: Secrets | None = None) -> SecretSetting | None:
    """The secret that the settings name, if they do."""
    reference: str | None = getattr(settings, f"{name}_secret")
    if reference is not None:
        return SecretSetting(reference, name=f"{name}_secret", secrets=secrets)
    file: Path | None = getattr(settings, f"{name}_file")
    return None if file is None else SecretSetting(f"file:{file}", name=f"{name}_file", secrets=secrets)


def given_once(settings: msgspec.Struct, name: str) -> None:
    """Check that one setting at most names the secret.

    Raises:
        ValueError: Two do.
    """
    if getattr(settings, f"{name}_secret") is not None and getattr(settings, f"{name}_file") is not None:
        raise ValueError(f"{name}_secret and {name}_file: give one of them")
