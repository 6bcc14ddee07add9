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
