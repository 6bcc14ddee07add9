"""What the workspace remembers: for each subject, what is conscious and what it is used to."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from emily_cognition.workspace import WorkspaceState
from emily_runtime.subjects import Trace, put_together

MOST_SUBJECTS = 256


class Stream(Trace, frozen=True, kw_only=True):
    """One subject's stream of consciousness.

    Attributes:
        competition: What is held, what it is used to, and when something last ignited.
    """

    competition: WorkspaceState


class Streams(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a workspace mind remembers.

    Subjects do not compete with each other: each lives through episodes of its own, and what one is
    conscious of must not blind another, nor depend on how their percepts happen to interleave. What they
    share is the body, whose arousal and ignition threshold come with every percept.

    Attributes:
        events: Heard so far.
        by_subject: The one renewed longest ago is forgotten beyond 256.
    """

    events: int = 0
    by_subject: dict[str, Stream] = {}

    def competition(self, subject: str) -> WorkspaceState:
        """A subject's competition; a fresh one for a subject that is not known."""
        stream = self.by_subject.get(subject)
        return WorkspaceState() if stream is None else stream.competition

    def after(self, subject: str, competition: WorkspaceState) -> Streams:
        """The memory after an event of a subject."""
        events = self.events + 1
        kept = self.by_subject | {subject: Stream(competition=competition, touched=events)}
        if len(kept) > MOST_SUBJECTS:
            del kept[min(kept, key=lambda name: kept[name].touched)]
        return Streams(events=events, by_subject=kept)

    def merged(self, given: Streams, moves: Callable[[str], bool]) -> Streams:
        """What goes on when some subjects come from another mind; nothing else is remembered here."""
        by_subject = put_together(
            self.by_subject,
            given.by_subject,
            moves,
            own_events=self.events,
            given_events=given.events,
            most=MOST_SUBJECTS,
        )
        return Streams(events=max(self.events, given.events), by_subject=by_subject)
