"""What the deployer needs of whatever runs the colours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

type Hear = Callable[[str], None]
"""Told what is found out while something goes on."""


class Driver(Protocol):
    """Runs colours. What was done already is done again without harm: each call may come twice.

    Each method but `resolve` raises `StepFailed` with what was wrong and the last words of who failed.
    """

    async def resolve(self, version: str) -> str:
        """The release that a version means here.

        Raises:
            BadOrder: There is none.
        """

    async def running(self) -> dict[str, str]:
        """The release that each colour was last started with, by colour."""

    async def describe(self, release: str) -> dict[str, str]:
        """What can be known of a release: revision, settings, code."""

    async def build(self, release: str) -> None:
        """Make or fetch what it needs."""

    async def expand(self, release: str) -> None:
        """Grow the schemas, so that both versions can use them."""

    async def start(self, colour: str, release: str) -> None:
        """Start a colour with a release; whatever else it ran is stopped first."""

    async def ready(self, colour: str, hear: Hear) -> None:
        """Wait until all of it is ready, and tell what it lacks; whoever waits sets the deadline.

        It fails at once when the colour can't become ready any more.
        """

    async def stop(self, colour: str) -> None:
        """Stop a colour, which finishes what it holds."""

    async def contract(self, release: str) -> None:
        """Remove from the schemas what only older versions need."""

    async def retire(self, colour: str) -> None:
        """Remove what a stopped colour leaves behind."""
