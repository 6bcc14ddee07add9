"""Thins out a target: what its policy no longer keeps is destroyed there, as on a source.

A snapshot that arrives brings no property along. It is marked as ours on the target, once, when its guid is
that of a snapshot of ours on the source. What has no mark is never destroyed, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

from msgspec.structs import replace

from emily_zfs_agent.destroying import destroyed, still_there
from emily_zfs_agent.errors import NotGone, ZfsError
from emily_zfs_agent.policy import Policy
from emily_zfs_agent.reading import Listing
from emily_zfs_agent.retention import Verdict, clock_jumped, retention
from emily_zfs_agent.snapshot import PREFIX, Snapshot
from emily_zfs_agent.zfs import Zfs

COMMON = "the newest that its source knows too: the next increment begins there"
NOTHING_COMMON = "its source knows none of them: nothing is destroyed"

Told = Callable[[Verdict], None]


class Thinning:
    """Of a target and what is below it.

    Args:
        source: The ZFS that sends.
        target: The ZFS that receives, which marks by another property.
        datasets: That are sent and that receive.
        policy: What is kept there.
        recursive: Whether those below are sent too.
    """

    def __init__(
        self, source: Zfs, target: Zfs, datasets: tuple[str, str], policy: Policy, *, recursive: bool
    ) -> None:
        self._source, self._target = source, target
        self._from, self._to = datasets
        self._policy = policy
        self._recursive = recursive

    def run(self, now: datetime, told: Told, wanted: Callable[[], bool]) -> None:
        """Mark what arrived, judge, destroy, and look whether it is gone.

        Args:
            now: In any zone.
            told: Told what is really gone.
            wanted: Asked before each is destroyed.

        Raises:
            ZfsError: Something that should go stays; the rest went.
        """
        sent = self._source.listing(self._from, recursive=self._recursive)
        bookmarks = self._source.bookmarks(self._from, recursive=self._recursive)
        for mark, names in unmarked(sent, self._listing(), self._from, self._to):
            self._target.mark(names, mark)
        seen = self._listing()
        known = {(each.dataset, each.guid) for each in sent.snapshots}
        known |= {(each.dataset, each.guid) for each in bookmarks}
        here = frozenset((self._to + dataset.removeprefix(self._from), guid) for dataset, guid in known)
        problems = [jumped] if (jumped := clock_jumped(seen.snapshots, now)) else []
        gone = []
        for verdict in thinned(seen.snapshots, self._policy, here, now):
            try:
                if not verdict.keep and wanted() and destroyed(self._target, verdict.snapshot):
                    gone.append(verdict)
            except ZfsError as failure:
                problems.append(str(failure))
        stay = still_there((each.snapshot for each in gone), self._listing().snapshots) if gone else ()
        for verdict in gone:
            if verdict.snapshot not in stay:
                told(verdict)
        problems += [f"{each.name}: still there, although ZFS said that it was destroyed" for each in stay]
        if problems:
            raise NotGone("; ".join(problems))

    def _listing(self) -> Listing:
        return self._target.listing(self._to, recursive=self._recursive)


def thinned(
    snapshots: Sequence[Snapshot], policy: Policy, known: frozenset[tuple[str, str]], now: datetime
) -> tuple[Verdict, ...]:
    """Verdicts on the snapshots of targets, by dataset: those of retention, but the common one stays.

    Args:
        snapshots: On the target.
        policy: Of the target.
        known: Dataset on the target and guid of each that its source has, as snapshot or bookmark.
        now: In any zone.
    """
    verdicts: list[Verdict] = []
    for dataset, group in groupby(sorted(snapshots, key=_by_dataset), key=lambda each: each.dataset):
        of_dataset = tuple(group)
        common = [each for each in of_dataset if (dataset, each.guid) in known]
        newest = max(common, key=lambda each: each.createtxg, default=None)
        for verdict in retention(of_dataset, policy, now):
            if newest is None:
                verdicts.append(_kept(verdict, NOTHING_COMMON))
            elif verdict.snapshot.guid == newest.guid:
                verdicts.append(_kept(verdict, COMMON))
            else:
                verdicts.append(verdict)
    return tuple(verdicts)


def unmarked(sent: Listing, arrived: Listing, source: str, target: str) -> Iterator[tuple[str, list[str]]]:
    """Names of what arrived and has no mark yet, by the mark: the policy that took it on the source."""
    policies = {
        (target + each.dataset.removeprefix(source), each.guid): each.policy
        for each in sent.snapshots
        if each.own
    }
    found: dict[str, list[str]] = {}
    for each in arrived.snapshots:
        policy = policies.get((each.dataset, each.guid))
        if policy is not None and not each.policy and each.short.startswith(PREFIX):
            found.setdefault(policy, []).append(each.name)
    yield from found.items()


def _kept(verdict: Verdict, reason: str) -> Verdict:
    return verdict if verdict.keep else replace(verdict, keep=True, reason=reason)


def _by_dataset(snapshot: Snapshot) -> tuple[str, int]:
    return snapshot.dataset, snapshot.createtxg
