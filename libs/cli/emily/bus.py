"""How commands get on the bus of an embedded system."""

from __future__ import annotations

from emily_bus import BusSettings
from emily_bus.settings import embedded

from emily.system import Layout


def settings(layout: Layout) -> BusSettings:
    """Of who may read the layout's state folder."""
    return embedded(layout.state_dir, layout.bus_endpoint)
