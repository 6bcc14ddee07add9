"""A secret in a file that its owner alone may read, or that Docker mounted; read anew each time."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from emily_runtime.errors import SecretRefused
from emily_runtime.secrets.secret import LONGEST, Secret

DOCKER_SECRETS = Path("/run/secrets")
"""Where Docker mounts the secrets of a container; only the container's own users see them there."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH


class FileSource:
    """One file, without the newline at its end.

    It holds what the file held when it was opened: who rotates a secret writes another file and renames it
    over this one, and the next reading has it.
    """

    def __init__(self, path: Path, *, mounted: Path = DOCKER_SECRETS) -> None:
        self._path = path
        self._mounted = mounted

    def read(self) -> Secret:
        """The file's text.

        Raises:
            SecretRefused: It can't be read, others may read it, or it is not a text of a bounded length.
        """
        try:
            opened = open(self._path, "rb", opener=_without_waiting)  # noqa: SIM115 - closed below
        except OSError as failure:
            raise self._refused(f"{failure.strerror}; name a file that this process may read") from None
        with opened as file:
            complaint = self._complaint(file)
            found = complaint or _content(file)
        if isinstance(found, str):
            raise self._refused(found)
        return found

    def _complaint(self, file: BinaryIO) -> str:
        """Why the open file is not one to take a secret from; empty when it is."""
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return "it is not a regular file; name one"
        if status.st_size > LONGEST:
            return (
                f"it has {status.st_size} bytes, and a secret at most {LONGEST}; name the secret's own file"
            )
        if status.st_mode & _OTHERS and not self._is_closed_otherwise(file, status):
            mode = stat.S_IMODE(status.st_mode)
            return f"others may read it (mode {mode:04o}); run chmod 600 {self._path}"
        return ""

    def _is_closed_otherwise(self, file: BinaryIO, status: os.stat_result) -> bool:
        """Whether a mount of Docker, a read-only one of root, or the folder keeps others out."""
        path = Path(os.path.abspath(self._path))  # noqa: PTH100 - follows no link, as Docker's mounts are none
        if path.is_relative_to(self._mounted):
            return True
        if status.st_uid == 0 and os.fstatvfs(file.fileno()).f_flag & os.ST_RDONLY:
            return True
        folder = path.resolve().parent.stat()
        return not folder.st_mode & _OTHERS_ENTER and folder.st_uid in {0, os.geteuid()}

    def _refused(self, complaint: str) -> SecretRefused:
        return SecretRefused(f"file:{self._path}: {complaint}")


def _without_waiting(path: str, flags: int) -> int:
    """Opens it even if it is a pipe that nobody writes to."""
    return os.open(path, flags | os.O_NONBLOCK)


def _content(file: BinaryIO) -> Secret | str:
    """The secret, or why it is none; its bytes stay here, in no frame that a traceback could show."""
    try:
        content = file.read(LONGEST + 1)
    except OSError as failure:
        return f"{failure.strerror}; name a file that this process may read"
    if len(content) > LONGEST:
        return f"it has more than {LONGEST} bytes; name the secret's own file"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return "it is not a text in UTF-8; write it as one"
    text = text.removesuffix("\n").removesuffix("\r")
    return Secret(text) if text else "it is empty; write the secret into it"
