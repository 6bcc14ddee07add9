"""What a stateful cognitive service is: a pure step over a frozen state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import msgspec
from emily_contracts import Message
from emily_contracts.topic import AnyQuery, AnyTopic

from emily_runtime.errors import Refused


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


type Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""A state of one version, as builtins and arrays, in the shape of the next version."""

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
        migrations: From version n of the state to n + 1, by n.
        asks_first: What is asked at each start; its answer, one of the events, comes before all others.
        barrier: Where the marker behind its events comes; a mind without one does not move.
        passes_barrier: Where it passes the marker on, behind what it said; none at the end of the way.
        gauges: Metric name -> (its label, its documentation) of what `observe` gives.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[msgspec.Struct]]
    state_type: ClassVar[type[msgspec.Struct]]
    state_version: ClassVar[int]
    hears: ClassVar[tuple[AnyTopic, ...]]
    migrations: ClassVar[Mapping[int, Migration]] = {}
    asks_first: ClassVar[Question | None] = None
    barrier: ClassVar[AnyTopic | None] = None
    passes_barrier: ClassVar[AnyTopic | None] = None
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

    def merged(self, own: State, given: State, moves: Callable[[str], bool]) -> State:
        """The state that goes on when some subjects come from another mind; pure.

        What is remembered of these subjects is what `given` remembers, and nothing more; of the others it is
        what `own` remembers. What is known in general comes from the one that has more experience, from `own`
        where both have as much.

        Args:
            own: What this mind remembers.
            given: What the other one remembered.
            moves: Whether a subject comes from the other one.

        Raises:
            Refused: It can't be divided by subjects.
        """
        raise Refused(f"low, high: {self.name} moves only as a whole; send all buckets")

    def succeeding(self, own: State, given: State) -> State:
        """The state that goes on when all subjects come from another mind; pure.

        Args:
            own: What this mind remembers.
            given: What the other one remembered.
        """
        return given

    def started_cold(self, state: State, why: str) -> State:
        """The state of a mind that could not go on from what was remembered, for one that says so; pure."""
        return state

    def answers(self) -> Mapping[AnyQuery, Callable[[State, Any], Any]]:
        """Queries that are answered from the state without changing it."""
        return {}

    def exchanges(self) -> Mapping[AnyQuery, Callable[[State, Any], tuple[State, Any]]]:
        """Queries whose answer comes with the next state, between two events; pure."""
        return {}

    def observe(self, state: State) -> Gauges:
        """What of the state is worth a gauge, read when metrics are scraped."""
        return {}
