"""What any other service is: something that runs between its start and its stop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import msgspec

from emily_runtime.life import Life


class Service[Settings: msgspec.Struct](ABC):
    """A service with a life of its own shape.

    Attributes:
        name: Of the service.
        settings_type: Its settings.
        needs: Conditions that must be met, by `life.ready(...)`, before the service is ready.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[msgspec.Struct]]
    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    async def main(self, life: Life) -> None:
        """Run until `life.stopping` is set, then finish what is held; returning ends the process with 0."""

    def http(self, life: Life) -> Any | None:
        """An ASGI application that is served beside the operations endpoints; made before `main`."""
        return None
