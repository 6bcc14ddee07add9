"""The flags as a process knows them: the newest snapshot, and how old that knowledge is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from emily_contracts.flags import FlagSnapshot
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ProviderNotReadyError
from openfeature.flag_evaluation import Reason

from emily_flags.errors import InvalidFlag
from emily_flags.evaluation import Asked, Details, Evaluator

MOST_GIVEN = 4096
"""Answers that are kept for the rest of the second in which they were given."""
MISSED_HEARTBEATS = 3
"""That many must stay out before what is known counts as stale."""

_log = logging.getLogger("emily_flags")

type Watcher = Callable[[str, frozenset[str]], None]
"""Told `changed` with the keys that did, `stale` or `fresh`."""


class Replica:
    """Answers from memory, also when nobody is there to ask; safe to read from any thread.

    Args:
        cache: File that keeps the newest snapshot, so that a start finds the last known values.

    Attributes:
        revision: Of the flags; 0 while none are known.
        refused: Snapshots that could not be used.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self.revision = 0
        self.refused = 0
        self._cache = cache
        self._evaluator = Evaluator()
        self._given: tuple[Evaluator, int, dict[tuple[str, str], str | None]] = self._evaluator, 0, {}
        self._snapshot: FlagSnapshot | None = None
        self._heard = float("-inf")
        self._fresh_until = float("-inf")
        self._was_stale = True
        self._watchers: list[Watcher] = []
        if cache is not None:
            self._recall(cache)

    def resolve(self, asked: Asked, key: str, default: Any, context: EvaluationContext | None) -> Details:
        """What a flag gives in a context; its reason is `STALE` while the flag-service is not heard.

        Raises:
            OpenFeatureError: It can't be evaluated; the caller uses its default.
        """
        if not self.revision:
            raise ProviderNotReadyError("no flags are known yet; is the flag-service up?")
        details = self._evaluator.resolve(asked, key, default, context)
        if time.monotonic() > self._fresh_until:
            details.reason = Reason.STALE
        return details

    def value(self, key: str, context: EvaluationContext | None = None) -> Details:
        """What a flag gives, of whatever type it is.

        Raises:
            OpenFeatureError: It can't be evaluated.
        """
        return self._evaluator.value(key, context)

    def enabled(self, key: str, *, targeting_key: str | None = None, default: bool = False) -> bool:
        """Whether a boolean flag is on; the default when it can't be said."""
        try:
            return bool(self.resolve("boolean", key, default, EvaluationContext(targeting_key)).value)
        except Exception:  # whatever is wrong with a flag, the code goes on
            return default

    def variant(self, key: str, *, targeting_key: str) -> str | None:
        """The variant that a key is given; none when that is for the code to say."""
        given, asked = self._given_now(), (key, targeting_key)
        if asked in given:
            return given[asked]
        try:
            variant = self._evaluator.value(key, EvaluationContext(targeting_key)).variant
        except Exception:  # whatever is wrong with a flag, the code goes on
            variant = None
        if len(given) < MOST_GIVEN:
            given[asked] = variant
        return variant

    def _given_now(self) -> dict[tuple[str, str], str | None]:
        """What was answered by these flags in this second: a rule knows nothing else, nor a finer time."""
        now = int(time.time())
        evaluator, second, given = self._given
        if evaluator is not self._evaluator or second != now:
            given = {}
            self._given = self._evaluator, now, given
        return given

    @property
    def stale(self) -> bool:
        """Whether the flag-service has not been heard for longer than it promised."""
        return time.monotonic() > self._fresh_until

    @property
    def age_s(self) -> float:
        """Seconds since the flag-service was heard; infinite when it never was."""
        return time.monotonic() - self._heard

    @property
    def definitions(self) -> dict[str, dict[str, Any]]:
        """In the flagd schema, by key."""
        return self._evaluator.definitions

    def watch(self, watcher: Watcher) -> None:
        """Tell of changes and of staleness from now on."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Tell no more."""
        self._watchers.remove(watcher)

    def take(self, snapshot: FlagSnapshot) -> bool:
        """Know a snapshot from now on; whether it changed anything.

        One that is older than what is known, or can't be used, changes nothing.
        """
        held = self._snapshot
        if held is not None and snapshot.revision < held.revision and snapshot.at <= held.at:
            return False
        changed: frozenset[str] | None = None
        if held is None or snapshot.document != held.document:
            try:
                evaluator = Evaluator(snapshot.document)
            except InvalidFlag as wrong:
                self.refused += 1
                _log.warning("snapshot %d is not used: %s", snapshot.revision, wrong)
                return False
            changed = _differing(self.definitions, evaluator.definitions)
            self._evaluator = evaluator
        self._snapshot = snapshot
        self.revision = max(1, snapshot.revision)
        self._hear(snapshot.heartbeat_s)
        if changed is not None:
            self._keep(snapshot)
            self._tell("changed", changed)
        self.look_at_age()
        return changed is not None

    def look_at_age(self) -> None:
        """Tell the watchers when what is known has become stale, or fresh again."""
        if self.stale != self._was_stale:
            self._was_stale = not self._was_stale
            self._tell("stale" if self._was_stale else "fresh", frozenset())

    def _hear(self, heartbeat_s: float) -> None:
        self._heard = time.monotonic()
        self._fresh_until = self._heard + MISSED_HEARTBEATS * heartbeat_s

    def _tell(self, what: str, keys: frozenset[str]) -> None:
        for watcher in tuple(self._watchers):
            try:
                watcher(what, keys)
            except Exception:
                _log.exception("a watcher of flags failed")

    def _recall(self, cache: Path) -> None:
        """What was known last; stale until the flag-service is heard."""
        try:
            snapshot = msgspec.json.decode(cache.read_bytes(), type=FlagSnapshot)
            self._evaluator = Evaluator(snapshot.document)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, InvalidFlag) as failure:
            _log.warning("%s is not used: %s", cache, failure)
            return
        self._snapshot = snapshot
        self.revision = max(1, snapshot.revision)
        self._heard = time.monotonic() - max(0.0, (datetime.now(UTC) - snapshot.at).total_seconds())

    def _keep(self, snapshot: FlagSnapshot) -> None:
        if self._cache is None:
            return
        fresh = self._cache.with_suffix(".new")
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(snapshot))
            fresh.replace(self._cache)
        except OSError as failure:
            _log.warning("%s: %s; a start without the flag-service will know no flags", fresh, failure)


def _differing(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> frozenset[str]:
    return frozenset(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
