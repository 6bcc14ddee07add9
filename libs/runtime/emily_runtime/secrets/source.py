"""What gives a secret."""

from __future__ import annotations

from typing import Protocol

from emily_runtime.secrets.secret import Secret


class SecretSource(Protocol):
    """One place that one secret is kept in. Ask it anew for each use: the secret may have been rotated."""

    def read(self) -> Secret:
        """The secret as it is now; may wait, up to a deadline, for a source that is on a network.

        Raises:
            SecretRefused: A setting, a file or a permission has to be changed first.
            SecretUnavailable: It can't be had now; later it may.
        """
