"""What can go wrong with a model before the service starts."""

from __future__ import annotations

from emily_runtime import SettingsError


class ModelUnusable(SettingsError):
    """The trained model can't be read; the message names the file, the fault and the remedy."""
