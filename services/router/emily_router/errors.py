"""What can go wrong between a stimulus and its answer."""

from __future__ import annotations


class RouterError(Exception):
    """Base of the router's errors."""


class Overloaded(RouterError):
    """Too many stimuli are in flight; try again after `retry_after_s`."""

    def __init__(self, in_flight: int, retry_after_s: int) -> None:
        super().__init__(f"{in_flight} stimuli are in flight, no more fit; retry after {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Unacceptable(RouterError):
    """A well-formed stimulus that no mind here can read; the message names the field."""


class KeyReused(RouterError):
    """The Idempotency-Key named another stimulus before."""


class JournalBusy(RouterError):
    """Another router writes to the same journal."""


class JournalUnwritable(RouterError):
    """The journal could not take a record, so nothing was accepted."""


class TooManyWatchers(RouterError):
    """The stream serves as many clients as it may."""


class Disconnected(RouterError):
    """The link to the bus is down."""


class Closed(RouterError):
    """The router is starting or stopping."""


class GateFull(RouterError):
    """Minds move, and too much waits for them already."""


class Outdated(RouterError):
    """Another routing table holds than the one that was looked at."""

    def __init__(self, version: int, why: str) -> None:
        super().__init__(f"version: {version} is not the table that holds: {why}; look at it again")


class HandoverFailed(RouterError):
    """The minds of two colours can't move; nothing was changed."""


class RecordAway(RouterError):
    """The database of the routing table can't be asked."""


class TableUnreadable(RouterError):
    """The routing table on disk is torn or malformed."""


class TableUnwritable(RouterError):
    """The routing table can't be kept, so nothing was changed."""
