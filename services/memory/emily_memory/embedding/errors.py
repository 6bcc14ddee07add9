"""What keeps texts from becoming vectors."""

from __future__ import annotations

from emily_runtime import SettingsError


class EmbedderDown(Exception):
    """No vectors now; the text itself can be stored, and embedded later."""


class EmbedderUnusable(SettingsError):
    """The chosen embedder can't be loaded; the message names the setting or package, and the remedy."""
