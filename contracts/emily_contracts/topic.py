"""How a message type is bound to a key expression and a quality of service."""

from __future__ import annotations

import enum
import re
import string
from typing import Any

import msgspec

from emily_contracts.envelope import Message

_FIELD_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Priority(enum.Enum):
    """Which traffic goes first on a link, in falling order."""

    REAL_TIME = "real_time"
    INTERACTIVE = "interactive"
    DATA = "data"
    BACKGROUND = "background"


class Reliability(enum.Enum):
    """Whether a link resends what it lost."""

    RELIABLE = "reliable"
    BEST_EFFORT = "best_effort"


class Congestion(enum.Enum):
    """What the sending side does when a link is full."""

    BLOCK = "block"
    DROP = "drop"


class Overflow(enum.Enum):
    """What a subscription does when its bounded buffer is full."""

    BACK_PRESSURE = "back_pressure"
    """The publisher waits for credit: nothing is lost, the sender slows down."""
    DROP_OLDEST = "drop_oldest"
    """The oldest unread message goes: for state that the next message replaces."""
    REJECT = "reject"
    """The newest message is refused and counted: for input whose sender is told."""


class QoS(msgspec.Struct, frozen=True, kw_only=True):
    """Quality of service of a topic.

    Attributes:
        express: Send at once rather than wait to fill a batch; lower latency, lower throughput.
        buffer: Messages a subscription holds before `overflow` applies.
    """

    priority: Priority = Priority.DATA
    reliability: Reliability = Reliability.RELIABLE
    congestion: Congestion = Congestion.BLOCK
    overflow: Overflow = Overflow.BACK_PRESSURE
    express: bool = False
    buffer: int = 4096


class _Key:
    """A key expression template such as `stimulus/{modality}`; relative to the session's namespace."""

    def __init__(self, template: str, doc: str) -> None:
        self.template = template
        self.doc = doc
        self.fields = tuple(name for _, name, _, _ in string.Formatter().parse(template) if name)

    def of(self, values: object) -> str:
        """The concrete key, each field read from the attribute of that name.

        Raises:
            ValueError: A field is empty or holds a character that is not allowed in a key chunk.
        """
        chunks = {}
        for name in self.fields:
            value = str(getattr(values, name))
            if not _FIELD_VALUE.fullmatch(value):
                raise ValueError(
                    f"{name}: {value!r} can't stand in a key; use letters, digits, '.', '_' and '-'"
                )
            chunks[name] = value
        return self.template.format(**chunks)

    def pattern(self, **fixed: str) -> str:
        """The key expression that matches every message, or those with the given fields."""
        unknown = set(fixed) - set(self.fields)
        if unknown:
            raise ValueError(f"{sorted(unknown)} not in {self.template}; its fields are {list(self.fields)}")
        return self.template.format(**{name: fixed.get(name, "*") for name in self.fields})


class Topic[T: Message](_Key):
    """Binds a key template, a message type and a quality of service."""

    def __init__(self, template: str, type: type[T], doc: str, qos: QoS = QoS()) -> None:  # noqa: B008
        super().__init__(template, doc)
        self.type = type
        self.qos = qos

    def __repr__(self) -> str:
        return f"Topic({self.template!r}, {self.type.__name__})"


class Query[Req: msgspec.Struct, Rep: msgspec.Struct](_Key):
    """Binds a key template to a request and a reply type."""

    def __init__(self, template: str, request: type[Req], reply: type[Rep], doc: str) -> None:
        super().__init__(template, doc)
        self.request = request
        self.reply = reply

    def __repr__(self) -> str:
        return f"Query({self.template!r}, {self.request.__name__} -> {self.reply.__name__})"


AnyTopic = Topic[Any]
AnyQuery = Query[Any, Any]
