"""What is backed up where, how often, and how long it is kept: one TOML file, or what `emily up` is given."""

from __future__ import annotations

import re
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from emily_contracts.snapshots import DatasetName
from msgspec import Meta

from emily_backup_agent.errors import PlanInvalid

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
_UNITS_S = {"s": 1.0, "m": 60.0, "h": HOUR_S, "d": DAY_S}
_DURATION = re.compile(r"^([1-9][0-9]*)([smhd])$")

Count = Annotated[int, Meta(ge=0, le=10_000)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Duration = Annotated[str, Meta(pattern=r"^[1-9][0-9]*[smhd]$")]


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many snapshots are kept: the newest of each of so many hours, days, weeks, months and years."""

    hourly: Count = 0
    daily: Count = 7
    weekly: Count = 4
    monthly: Count = 12
    yearly: Count = 3

    def __post_init__(self) -> None:
        if not any((self.hourly, self.daily, self.weekly, self.monthly, self.yearly)):
            raise ValueError("retention: keeps nothing; give at least one count above 0")


class Repository(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where backups lie.

    Attributes:
        location: As restic names it: an absolute path, rest:https://HOST/NAME, s3:https://HOST/BUCKET.
        password_file: Opens it; lost with it is everything.
        environment_file: Lines NAME=VALUE that restic needs there, such as AWS_ACCESS_KEY_ID.
        append_only: Its server lets nobody forget; what is too old is forgotten from elsewhere.
        make: Whether it is made where there never was one; an unmounted disk looks like such a place.
    """

    location: Annotated[str, Meta(min_length=1)]
    password_file: Path
    environment_file: Path | None = None
    append_only: bool = False
    make: bool = False

    def __post_init__(self) -> None:
        if not (
            self.location.startswith("/")
            or re.match(r"^(rest|s3|sftp|b2|azure|gs|swift|rclone):", self.location)
        ):
            raise ValueError(
                f"repository.location: {self.location!r} is no absolute path and no place that restic knows"
            )

    @property
    def folder(self) -> Path | None:
        """Where it lies on this machine; none when it lies elsewhere."""
        return Path(self.location) if self.location.startswith("/") else None


class Job(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that is backed up.

    Attributes:
        paths: Absolute; a missing one fails the job.
        dataset: Of ZFS, backed up as it was in one instant; the zfs-agent takes the snapshot.
        recursive: Whether with all datasets below it, in the same instant.
        exclude: Patterns of restic.
        database: Whether the memory database is dumped too.
        every: How often, such as 1h.
        drill_every: How often it is restored and compared.
        parts: In so many runs the whole repository is read.
    """

    paths: tuple[Path, ...] = ()
    dataset: DatasetName | None = None
    recursive: bool = False
    exclude: tuple[str, ...] = ()
    database: bool = False
    every: Duration = "1h"
    drill_every: Duration = "7d"
    retention: Retention = Retention()
    parts: Annotated[int, Meta(ge=1, le=1000)] = 24

    def __post_init__(self) -> None:
        if not self.paths and not self.dataset and not self.database:
            raise ValueError("paths: none, no dataset and no database; name what shall be backed up")
        if self.recursive and not self.dataset:
            raise ValueError("recursive: there is no dataset whose datasets below it could be meant")
        for path in self.paths:
            if not path.is_absolute():
                raise ValueError(f"paths: {path} is not absolute")

    @property
    def every_s(self) -> float:
        """Seconds between two runs."""
        return _seconds(self.every)

    @property
    def drill_every_s(self) -> float:
        """Seconds between two drills."""
        return _seconds(self.drill_every)


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All jobs, and the one repository that they go to.

    Attributes:
        host: Under which snapshots are found; never changes, whatever the machine is called.
        jobs: By name.
    """

    repository: Repository
    jobs: Annotated[dict[Name, Job], Meta(min_length=1)]
    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,253}$")] = msgspec.field(
        default_factory=socket.gethostname
    )


def read(file: Path) -> Plan:
    """The plan in a TOML file.

    Raises:
        PlanInvalid: It can't be read, or is wrong; the message names the key.
    """
    try:
        said = tomllib.loads(file.read_text())
    except OSError as failure:
        raise PlanInvalid(f"{file}: {failure.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as failure:
        raise PlanInvalid(f"{file}: {failure}") from None
    try:
        plan = msgspec.convert(said, Plan, dec_hook=_path)
    except msgspec.ValidationError as failure:
        raise PlanInvalid(f"{file}: {failure}") from None
    problems = _out_of_place(plan)
    if problems:
        raise PlanInvalid(f"{file}: " + "; ".join(problems))
    return plan


def _out_of_place(plan: Plan) -> list[str]:
    """Sources that lie in the repository."""
    folder = plan.repository.folder
    return [
        f"jobs.{name}.paths: {path} lies in the repository"
        for name, job in plan.jobs.items()
        for path in job.paths
        if folder is not None and path.is_relative_to(folder)
    ]


def _seconds(duration: str) -> float:
    found = _DURATION.match(duration)
    assert found is not None  # noqa: S101 - its type says so
    return int(found[1]) * _UNITS_S[found[2]]


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError(f"give a path, not {value!r}")
