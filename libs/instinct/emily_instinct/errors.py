"""What instinct refuses."""

from __future__ import annotations


class InstinctError(ValueError):
    """A value does not fit; the message names it, its bound and the remedy."""
