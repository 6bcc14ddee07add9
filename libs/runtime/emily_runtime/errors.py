"""What ends a service, and what only ends an event."""

from __future__ import annotations


class SettingsError(Exception):
    """One or more settings are wrong; the message lists them all."""


class CheckpointError(Exception):
    """A checkpoint can't be used; the message says why."""


class NoMigration(CheckpointError):
    """A checkpoint is whole, but of a version that this mind can't bring to its own."""


class Refused(Exception):
    """A mind refuses an event; the message names the field and the remedy. The state stays as it was."""


class SecretRefused(SettingsError):
    """A secret that stays out of reach until a setting, a file or a permission is changed; it says which."""


class SecretUnavailable(Exception):
    """A secret whose server can't be asked now, and of which no value is held that is young enough."""


class TrailBroken(SettingsError):
    """The audit trail of secrets is not what was written there; the message names the line and the remedy."""
