"""What a stateful cognitive service is: a pure step over a frozen state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec
from emily_contracts import Message
from emily_contracts.topic import AnyQuery, AnyTopic


class Emission(NamedTuple):
    """A message and where it goes."""

    topic: AnyTopic
    message: Message


class Question(NamedTuple):
    """What a mind asks another service before it takes an event in.

    Attributes:
        timeout_s: How long the event may wait for the answer.
    """

    query: AnyQuery
    request: msgspec.Struct
    timeout_s: float


type Gauges = Mapping[str, Mapping[str, float]]
"""Values by metric name, then by the value of its one label."""


class Mind[Settings: msgspec.Struct, State: msgspec.Struct](ABC):
    """A service whose memory is one value and whose behaviour is one function.

    Attributes:
        name: Of the service.
        settings_type: Its settings.
        state_type: What it remembers, a frozen Struct; arrays are allowed.
        state_version: Raised when the meaning or shape of the state changes.
        hears: Topics whose messages are its events.
        gauges: Metric name -> (its label, its documentation) of what `observe` gives.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[msgspec.Struct]]
    state_type: ClassVar[type[msgspec.Struct]]
    state_version: ClassVar[int]
    hears: ClassVar[tuple[AnyTopic, ...]]
    gauges: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    def initial(self) -> State:
        """What a mind remembers that has lived through nothing."""

    @abstractmethod
    def step(self, state: State, event: Any) -> tuple[State, tuple[Emission, ...]]:
        """The next state and what is said; pure: the same state and event give the same result.

        Raises:
            Refused: The event is wrong; the state stays as it was.
        """

    def wonders(self, state: State, event: Any) -> Question | None:
        """What to ask before the step on an event; mostly nothing. Pure."""
        return None

    def told(self, state: State, event: Any, answer: Any) -> State:
        """The state that the step on an event begins from when something was asked before it; pure.

        Args:
            answer: Of the query's reply type; none when nobody answered in time.
        """
        return state

    def answers(self) -> Mapping[AnyQuery, Callable[[State, Any], Any]]:
        """Queries that are answered from the state without changing it."""
        return {}

    def observe(self, state: State) -> Gauges:
        """What of the state is worth a gauge, read when metrics are scraped."""
        return {}
