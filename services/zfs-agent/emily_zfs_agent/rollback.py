"""`python -m emily_zfs_agent.rollback SNAPSHOT`: a dataset as it was: clone, verify, swap; none is destroyed.

    tank/a@s                       is wished for again
    tank/a.rollback-s              its clone, while it is verified
    tank/a -> tank/a.before-s      what is live goes aside and is kept, newer snapshots with it
    tank/a.rollback-s -> tank/a    the clone is live, then promoted: it needs nothing of what is aside
    tank/a -> tank/a.undone-s      the way back, then
    tank/a.before-s -> tank/a

How far it has come is read from these names alone, so what was cut off goes on when it is asked for again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from emily_zfs_agent.commands import DEADLINE_S, Commands
from emily_zfs_agent.errors import NotVerified, Refused, ZfsError
from emily_zfs_agent.names import pool_of, require_snapshot
from emily_zfs_agent.properties import AT_CREATION
from emily_zfs_agent.reading import Property
from emily_zfs_agent.zfs import Zfs

Check = Callable[[Path], None]
"""Looks at the clone, mounted read-only; raises `NotVerified` when it should not become live."""

_OF_THE_PLACE = ("mountpoint", "canmount")
_CHUNK = 1024 * 1024


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was done.

    Attributes:
        dataset: That is live.
        kept: Dataset that holds what was live before; empty when there is none.
        steps: In words; none when all had been done before.
    """

    dataset: str
    kept: str
    steps: tuple[str, ...]


def readable(folder: Path) -> None:
    """Every file can be read to its end, which ZFS lets happen only when its checksums are right.

    Raises:
        NotVerified: One can't.
    """

    def fail(failure: OSError) -> None:
        raise NotVerified(f"{failure.filename}: {failure.strerror}; the clone is not swapped in")

    for parent, _, names in folder.walk(on_error=fail):
        for file in (parent / name for name in names):
            if file.is_symlink() or not file.is_file():
                continue
            try:
                with file.open("rb", buffering=0) as opened:
                    while opened.read(_CHUNK):
                        pass
            except OSError as failure:
                fail(failure)


class Rollback:
    """Of one dataset to one snapshot of it.

    Raises:
        Refused: It is no name of a snapshot.
    """

    def __init__(self, zfs: Zfs, snapshot: str) -> None:
        require_snapshot(snapshot, (pool_of(snapshot.partition("@")[0]),))
        self.live, _, self._short = snapshot.partition("@")
        self.clone, self.before, self.undone = (
            f"{self.live}.{what}-{self._short}" for what in ("rollback", "before", "undone")
        )
        self._snapshot = snapshot
        self._zfs = zfs
        self._steps: list[str] = []

    def run(self, check: Check = readable) -> Outcome:
        """Make the dataset what it was at the snapshot.

        Raises:
            Refused: It can't be done here; nothing was changed.
            ZfsError: A step failed; the same call goes on from there, `undo` goes back.
        """
        there = self._there()
        if self.before not in there:
            self._prepare(there, check)
            self._unmount(self.live)
            self._rename(self.live, self.before)
            there = self._there()
        elif {self.live, self.clone} <= there.keys():
            raise Refused(_in_the_way(self.before))
        if self.live not in there:
            self._rename(self.clone, self.live)
        if not self._promoted():
            self._zfs.promote(self.live)
            self._steps.append(f"promoted {self.live}")
        self._hand_over(self.before, self.live)
        return self._outcome(self.before)

    def undo(self) -> Outcome:
        """Make the dataset again what it was before the rollback; what became of it since is kept too.

        Raises:
            Refused: No rollback was begun, or an earlier undoing left something; nothing was changed.
            ZfsError: A step failed; the same call goes on from there.
        """
        there = self._there()
        if self.before in there and self.live in there:
            if self.undone in there:
                raise Refused(_in_the_way(self.undone))
            if self._promoted():
                self._zfs.promote(self.before)
                self._steps.append(f"promoted {self.before}")
            self._unmount(self.live)
            self._rename(self.live, self.undone)
        elif not {self.before, self.undone, self.clone} & there.keys():
            raise Refused(f"snapshot={self._snapshot}: no rollback to it was begun")
        if self.before in there:
            self._rename(self.before, self.live)
        if self.undone in self._there():
            self._hand_over(self.undone, self.live)
            return self._outcome(self.undone)
        self._mount(self.live)
        return self._outcome("")

    def _prepare(self, there: Mapping[str, Mapping[str, Property]], check: Check) -> None:
        """The clone is there, verified, and would be mounted where the live dataset is."""
        self._require_possible(there)
        live = there[self.live]
        if self.clone not in there:
            self._zfs.clone(self._snapshot, self.clone, {**_copied(live), "canmount": "noauto"})
            self._steps.append(f"cloned {self._snapshot} as {self.clone}")
        self._unmount(self.clone)
        folder = Path(mkdtemp(prefix="emily-rollback-"))
        try:
            self._verify(folder, check)
        finally:
            # It may be mounted still: never more than rmdir.
            with suppress(OSError):
                folder.rmdir()
        self._steps.append(f"verified {self.clone}")
        if _set_here(live["mountpoint"]):
            self._zfs.set(self.clone, "mountpoint", live["mountpoint"].value)
        else:
            self._zfs.inherit(self.clone, "mountpoint")

    def _verify(self, folder: Path, check: Check) -> None:
        self._zfs.set(self.clone, "mountpoint", str(folder))
        self._zfs.mount(self.clone, readonly=True)
        try:
            check(folder)
        finally:
            self._zfs.unmount(self.clone)

    def _require_possible(self, there: Mapping[str, Mapping[str, Property]]) -> None:
        live = there.get(self.live)
        if live is None or self._zfs.snapshot(self._snapshot) is None:
            raise Refused(f"snapshot={self._snapshot}: there is none; see: zfs list -t snapshot")
        if live["type"].value != "filesystem":
            raise Refused(f"{self.live}: is a {live['type'].value}; only filesystems are rolled back")
        if live.get("encryption", Property("off", "-")).value != "off":
            raise Refused(f"{self.live}: is encrypted, and a clone shares its key; do this by hand")
        if below := sorted(each for each in self._datasets() if each.startswith(f"{self.live}/")):
            raise Refused(
                f"{self.live}: has {', '.join(below)} below it; roll back those that have none below"
            )
        if live["mounted"].value == "yes" and live["mountpoint"].value == "legacy":
            raise Refused(f"{self.live}: was mounted by mount; unmount it with umount first")
        if self.clone in there and _origin(there[self.clone]) != self._snapshot:
            raise Refused(f"{self.clone}: is no clone of {self._snapshot}; rename it")

    def _hand_over(self, aside: str, live: str) -> None:
        """Who is mounted at boot; the one aside is not, which also says that this was done."""
        given = self._there()[aside]["canmount"].value
        if given != "noauto":
            self._unmount(aside)
            self._zfs.set(live, "canmount", given)
            self._zfs.set(aside, "canmount", "noauto")
        self._mount(live)

    def _mount(self, dataset: str) -> None:
        now = self._there()[dataset]
        if (now["mounted"].value, now["canmount"].value) != ("no", "on"):
            return
        if now["mountpoint"].value not in ("none", "legacy"):
            self._zfs.mount(dataset)
            self._steps.append(f"mounted {dataset}")

    def _unmount(self, dataset: str) -> None:
        if self._there()[dataset]["mounted"].value == "yes":
            self._zfs.unmount(dataset)
            self._steps.append(f"unmounted {dataset}")

    def _rename(self, dataset: str, name: str) -> None:
        self._zfs.rename(dataset, name)
        self._steps.append(f"renamed {dataset} to {name}")

    def _promoted(self) -> bool:
        """Whether what is aside is a clone of what is live, and not the other way round."""
        there = self._there()
        if _origin(there[self.before]) == self._snapshot:
            return True
        if _origin(there[self.live]) != f"{self.before}@{self._short}":
            raise Refused(_in_the_way(self.before))
        return False

    def _there(self) -> dict[str, dict[str, Property]]:
        """Those of the four names that are there, with their properties."""
        return self._zfs.properties(
            sorted({self.live, self.clone, self.before, self.undone} & self._datasets())
        )

    def _datasets(self) -> frozenset[str]:
        return self._zfs.datasets(pool_of(self.live)) or frozenset()

    def _outcome(self, kept: str) -> Outcome:
        return Outcome(dataset=self.live, kept=kept, steps=tuple(self._steps))


def _origin(dataset: Mapping[str, Property]) -> str:
    """The snapshot that it is a clone of; empty when it is none."""
    return dataset["origin"].value if "origin" in dataset else ""


def _in_the_way(dataset: str) -> str:
    return f"{dataset}: is there since an earlier time; look at it, then rename or destroy it"


def _copied(live: Mapping[str, Property]) -> dict[str, str]:
    """What is set on the dataset itself: a clone would have it from above only."""
    fixed = (*_OF_THE_PLACE, *AT_CREATION)
    return {key: held.value for key, held in live.items() if _set_here(held) and key not in fixed}


def _set_here(held: Property) -> bool:
    return held.source in ("local", "received")


def main(arguments: list[str]) -> int:
    """Exit code 0 when it was done, 1 when not; then the reason is on stderr."""
    parser = argparse.ArgumentParser(prog="python -m emily_zfs_agent.rollback", description=__doc__)
    parser.add_argument("snapshot", help="POOL/NAME@SNAPSHOT")
    parser.add_argument("--undo", action="store_true", help="go back to what was before")
    parser.add_argument("--timeout", type=float, default=DEADLINE_S, help="seconds for each command of ZFS")
    given = parser.parse_args(arguments)
    try:
        rollback = Rollback(Zfs(Commands(given.timeout)), given.snapshot)
        outcome = rollback.undo() if given.undo else rollback.run()
    except (Refused, ZfsError) as failure:
        print(failure, file=sys.stderr)
        return 1
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
