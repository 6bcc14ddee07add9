"""How commands get on the bus of an embedded system."""

from __future__ import annotations

from emily_bus import BusSettings
from emily_bus.settings import EMBEDDED_USER
from emily_runtime.secrets import FileSource

from emily.system import Layout


def settings(layout: Layout) -> BusSettings:
    """Of who may read the layout's state folder; a bus without a password asks for none."""
    if not layout.bus_password.exists():
        return BusSettings(endpoint=layout.bus_endpoint)
    source = FileSource(layout.bus_password)
    return BusSettings(
        endpoint=layout.bus_endpoint, user=EMBEDDED_USER, password=lambda: source.read().reveal()
    )
