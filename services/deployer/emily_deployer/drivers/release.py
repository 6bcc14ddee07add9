"""What a version means for the embedded system: which interpreter runs which code, with which settings.

| given | is |
|---|---|
| `current` | the code that is installed here |
| a folder with `bin/python` | an environment that Emily is installed in |
| a folder with `contracts/`, `libs/` and `services/` | a checkout, run by the interpreter of this process |
| a file `*.toml` | a release: any of these, with settings and migrations of its own |
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from emily_runtime.stacks import CURRENT, Stack
from msgspec import Meta

from emily_deployer.errors import BadOrder

SETTING = re.compile(r"^EMILY_(REFLEX|WORKSPACE|INFERENCE|MEMORY)_[A-Z0-9_]+$")
KEPT = ("NAMESPACE", "BUS_ENDPOINT", "STATE_DIR")
"""Settings that are the system's and not a release's."""
CHECKOUT = ("contracts", "libs", "services")

Command = Annotated[tuple[str, ...], Meta(min_length=1)]


class Migrations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Programs that change schemas instead of the ones that memory comes with."""

    expand: Command | None = None
    contract: Command | None = None


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version.

    Attributes:
        name: For people.
        python: Interpreter; that of this process by default.
        source: A checkout to import from.
        settings: Environment variables of its services.
        migrations: In place of memory's own.
    """

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    python: str = sys.executable
    source: str | None = None
    settings: dict[str, str | int | float | bool] = {}
    migrations: Migrations = Migrations()

    def stack(self, colour: str, release: str) -> Stack:
        """What is to be run as a colour."""
        return Stack(
            colour=colour, release=release, python=self.python, path=self.path, settings=self.environment
        )

    @property
    def path(self) -> tuple[str, ...]:
        """Folders of the source that are imported from."""
        if self.source is None:
            return ()
        source = Path(self.source)
        folders = [source / "contracts", *sorted(source.glob("libs/*")), *sorted(source.glob("services/*"))]
        return tuple(str(folder) for folder in folders if folder.is_dir())

    @property
    def environment(self) -> dict[str, str]:
        """The settings as text."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.settings.items()
        }


def read_release(version: str) -> Release:
    """The release that a version means.

    Raises:
        BadOrder: There is none, or its file is wrong; the message names the field.
    """
    if version == CURRENT:
        return Release(name=CURRENT)
    place = Path(version)
    if place.suffix == ".toml":
        return _in_file(place)
    python = place / "bin" / "python"
    if python.exists():
        return Release(name=place.name, python=str(python))
    if all((place / folder).is_dir() for folder in CHECKOUT):
        return Release(name=place.name, source=str(place))
    raise BadOrder(
        f"version: {version!r} is neither {CURRENT!r}, a tag, a release file *.toml, a checkout, "
        "nor a folder with bin/python"
    )


def canonical(version: str) -> str:
    """The version in words that mean the same in every folder."""
    place = Path(version)
    return str(place.absolute()) if "/" in version or place.exists() else version


def _in_file(file: Path) -> Release:
    try:
        release = msgspec.toml.decode(file.read_bytes(), type=Release)
    except OSError as failure:
        raise BadOrder(f"version: {file}: {failure.strerror}") from None
    except (msgspec.DecodeError, ValueError) as failure:
        raise BadOrder(f"version: {file}: {failure}") from None
    for name in release.settings:
        if not SETTING.fullmatch(name) or name.endswith(KEPT):
            raise BadOrder(
                f"version: {file}: settings.{name}: is no setting that a release may have; "
                "such as EMILY_INFERENCE_SEED"
            )
    here = file.parent
    return msgspec.structs.replace(
        release,
        python=str(here / release.python),
        source=None if release.source is None else str(here / release.source),
    )
