"""What the GFlowNet refuses."""

from __future__ import annotations


class GFlowNetError(ValueError):
    """An environment, a reward, a recipe or a checkpoint does not fit; the message names it."""
