"""What memory refuses, each with the field or setting and what to do."""


class MemoryRefused(Exception):
    """A request that can't be served as it is; the message names the field."""


class NotFound(MemoryRefused):
    """There is no such memory in the namespace."""


class Overloaded(MemoryRefused):
    """More waits to be written than is held; nothing of the request was stored."""


class StoreUnavailable(MemoryRefused):
    """The database is away; nothing of the request was stored."""
