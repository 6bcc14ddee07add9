"""Hears which subjects are under which variants and what becomes of them, and adds it up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from emily_contracts import Decision, Exposure, Message, Outcome

from emily_flag_service.experiment.trial import Sums, Trial

MOST_SUBJECTS = 20_000
MOST_TRIALS = 20_000
"""Of one version of a flag; more subjects are not counted, whatever their variant."""
MOST_WAITING = 20_000


class Observer:
    """Sums that wait to be kept; no I/O of its own.

    Args:
        versions: Tells those of the flags, by key; each change of a flag begins anew.
        known: Trials of earlier runs.

    Attributes:
        lost: Messages that were not counted for want of room.
    """

    def __init__(self, versions: Callable[[], Mapping[str, int]], known: Iterable[Trial] = ()) -> None:
        self.lost = 0
        self._versions = versions
        self._held: OrderedDict[str, dict[str, Trial]] = OrderedDict()
        self._known: dict[tuple[str, int], set[Trial]] = {}
        self._waiting: dict[Trial, Sums] = {}
        for trial in known:
            self._take(trial)

    def hear(self, message: Message, *, now: float) -> None:
        """Take in an exposure, a decision or an outcome, heard at `now`, seconds since 1970."""
        match message:
            case Exposure():
                self._exposed(message)
            case Decision():
                for sums in self._sums_of(message.subject):
                    sums.decided(message, now)
            case Outcome():
                for sums in self._sums_of(message.subject):
                    sums.judged(message)

    def taken(self) -> dict[Trial, Sums]:
        """What has come together since this was asked last."""
        versions = self._versions()
        self._known = {key: known for key, known in self._known.items() if versions.get(key[0]) == key[1]}
        waiting, self._waiting = self._waiting, {}
        return waiting

    def put_back(self, sums: Mapping[Trial, Sums]) -> None:
        """What could not be kept, to be taken again."""
        for trial, before in sums.items():
            since = self._waiting.get(trial, Sums())
            for name in Sums.__struct_fields__:
                setattr(since, name, getattr(since, name) + getattr(before, name))
            self._waiting[trial] = since

    def _exposed(self, exposure: Exposure) -> None:
        version = self._versions().get(exposure.flag)
        if version is None:
            return
        trial = Trial(flag=exposure.flag, version=version, variant=exposure.variant, subject=exposure.key)
        if not self._take(trial):
            self.lost += 1
        elif trial not in self._waiting and len(self._waiting) < MOST_WAITING:
            self._waiting[trial] = Sums()

    def _take(self, trial: Trial) -> bool:
        known = self._known.setdefault((trial.flag, trial.version), set())
        if trial not in known and len(known) >= MOST_TRIALS:
            return False
        known.add(trial)
        held = self._held.pop(trial.subject, {})
        self._held[trial.subject] = held | {trial.flag: trial}
        if len(self._held) > MOST_SUBJECTS:
            self._held.popitem(last=False)
        return True

    def _sums_of(self, subject: str) -> list[Sums]:
        found = []
        versions = self._versions()
        for trial in self._held.get(subject, {}).values():
            if versions.get(trial.flag) != trial.version:
                continue
            if trial not in self._waiting and len(self._waiting) >= MOST_WAITING:
                self.lost += 1
                continue
            found.append(self._waiting.setdefault(trial, Sums()))
        return found
