"""Flags that come with the code: a folder of documents."""

from __future__ import annotations

from pathlib import Path

from emily_flags.definition import Flag, parse_document, require_consistent
from emily_flags.errors import InvalidFlag


def load_folder(folder: Path) -> dict[str, Flag]:
    """The flags of all `*.json` of a folder, by key.

    Raises:
        InvalidFlag: Names the file, the flag and the field; then none of them is to be used.
    """
    flags: dict[str, Flag] = {}
    origin: dict[str, str] = {}
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except OSError as failure:
        raise InvalidFlag("", "", f"{failure.strerror}; name a folder", source=str(folder)) from None
    for file in files:
        for key, flag in load_file(file).items():
            if key in flags:
                raise InvalidFlag(key, "", f"is defined in {origin[key]} too; keep one", source=file.name)
            flags[key], origin[key] = flag, file.name
    try:
        require_consistent(flags)
    except InvalidFlag as wrong:
        raise wrong.of(origin.get(wrong.flag, str(folder))) from None
    return flags


def load_file(file: Path) -> dict[str, Flag]:
    """The flags of one document, by key.

    Raises:
        InvalidFlag: Names the file, the flag and the field.
    """
    try:
        return parse_document(file.read_bytes())
    except OSError as failure:
        raise InvalidFlag("", "", failure.strerror or "can't be read", source=file.name) from None
    except InvalidFlag as wrong:
        raise wrong.of(file.name) from None
