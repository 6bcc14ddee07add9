"""The password of the bus, which Zenoh takes when a session opens and never again."""

from __future__ import annotations

import anyio
import anyio.to_thread
from emily_bus import Bus

from emily_runtime.errors import SecretRefused, SecretUnavailable
from emily_runtime.secrets.secret import Secret
from emily_runtime.secrets.source import SecretSource

LOOK_S = 1.0


class BusPassword:
    """Gives it to a session that opens, and tells whether it is another by now.

    Args:
        source: Of the password.
    """

    def __init__(self, source: SecretSource) -> None:
        self._source = source
        self._given: Secret | None = None

    def __call__(self) -> str:
        """The password as it is now.

        Raises:
            SecretRefused: A setting, a file or a permission has to be changed first.
            SecretUnavailable: The server that keeps it is away.
        """
        self._given = self._source.read()
        return self._given.reveal()

    async def rotated(self, bus: Bus) -> None:
        """Return when the link is lost and the session would not get back on with what it was given."""
        while bus.connected or not await anyio.to_thread.run_sync(self._is_another):  # noqa: ASYNC110 - of two owners
            await anyio.sleep(LOOK_S)

    def _is_another(self) -> bool:
        try:
            return self._source.read() != self._given
        except (SecretRefused, SecretUnavailable):
            return False
