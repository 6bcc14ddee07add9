"""What the deployer needs of whatever runs the colours."""

from __future__ import annotations

from typing import Protocol


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

    async def ready(self, colour: str) -> None:
        """Wait until all of it is ready, as long as it may become so; who asks sets the deadline."""

    async def stop(self, colour: str) -> None:
        """Stop a colour, which finishes what it holds."""

    async def contract(self, release: str) -> None:
        """Remove from the schemas what only older versions need."""

    async def retire(self, colour: str) -> None:
        """Remove what a stopped colour leaves behind."""
