"""The password of an embedded bus: everybody on a machine reaches its port, its owner alone is let in."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from emily_bus.settings import EMBEDDED_USER
from emily_runtime.secrets.trail import Trail

from emily.system import Layout

PASSWORD_BYTES = 24
FILE_MODE = 0o600


def make_password(layout: Layout) -> None:
    """Make it, once, for the router of the bus and for who gets on it."""
    if layout.bus_passwords.exists() and layout.bus_password.exists():
        return
    password, of_router = (secrets.token_hex(PASSWORD_BYTES) for _ in range(2))
    _write(layout.bus_password, password)
    Trail(layout.state_dir).append(layout.bus_password.name, "made")
    _write(layout.bus_passwords, f"router:{of_router}\n{EMBEDDED_USER}:{password}\n")


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w") as file:
        file.write(text)
    temporary.replace(path)
