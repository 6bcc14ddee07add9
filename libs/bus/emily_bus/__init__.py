"""Typed, bounded publish, subscribe, serve and ask over Zenoh."""

from emily_bus.errors import (
    AskError,
    AskRefused,
    AskTimeout,
    BusCongested,
    BusError,
    BusUnavailable,
    ErrorReply,
    NoResponder,
)
from emily_bus.presence import Change
from emily_bus.session import Bus
from emily_bus.settings import BusSettings
from emily_bus.statistics import Statistics
from emily_bus.subscription import Subscription

__all__ = [
    "AskError",
    "AskRefused",
    "AskTimeout",
    "Bus",
    "BusCongested",
    "BusError",
    "BusSettings",
    "BusUnavailable",
    "Change",
    "ErrorReply",
    "NoResponder",
    "Statistics",
    "Subscription",
]
