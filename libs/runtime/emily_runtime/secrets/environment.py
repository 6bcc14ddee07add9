"""A secret in a variable of the environment, for as long as the process lives."""

from __future__ import annotations

from collections.abc import Mapping

from emily_runtime.errors import SecretRefused
from emily_runtime.secrets.secret import Secret


class EnvironmentSource:
    """One variable. Nobody can rotate it without a restart, and children inherit it: prefer a file."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self._name = name
        self._environ = environ

    def read(self) -> Secret:
        """The variable's text.

        Raises:
            SecretRefused: It is not set, empty, or not a text in UTF-8.
        """
        secret = _of(self._environ.get(self._name, ""))
        if secret is None:
            raise SecretRefused(f"env:{self._name}: it is not a text in UTF-8; set it to one")
        if secret == Secret(""):
            raise SecretRefused(f"env:{self._name}: it is not set or empty; set it, or refer to a file")
        return secret


def _of(text: str) -> Secret | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return Secret(text)
