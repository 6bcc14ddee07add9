"""What active inference refuses."""

from __future__ import annotations


class ModelError(ValueError):
    """A model, an observation or a policy does not fit; the message names the array and the slice."""
