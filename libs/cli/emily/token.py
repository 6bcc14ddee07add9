"""The token of a command: in the file that is named, where a variable refers to, or in the state folder."""

from __future__ import annotations

import os
from pathlib import Path

from emily_runtime import SettingsError
from emily_runtime.logs import configure_logs
from emily_runtime.secrets import FileSource, SecretSource, SecretUnavailable
from emily_runtime.secrets.setting import SecretSetting
from emily_runtime.tokens import TokensUnreadable, first_token

from emily.errors import CommandError


def token(file: Path | None, *, of: str, state_dir: Path) -> str:
    """That of the file, else of the secret that `EMILY_{of}_TOKEN_SECRET` refers to.

    Args:
        file: Holds TOKEN, or NAME TOKEN.
        of: What it allows: flags, traffic or deploys; its file in the state folder is called so.
        state_dir: Looked into when neither is given.

    Raises:
        CommandError: There is none.
    """
    variable = f"EMILY_{of.upper()}_TOKEN_SECRET"
    reference = os.environ.get(variable)
    if file is not None and reference is not None:
        raise CommandError(f"--token-file and {variable}: give one of them", f"unset {variable}")
    try:
        return first_token(_source(file or state_dir / f"{of}.token", reference, variable))
    except (SettingsError, SecretUnavailable, TokensUnreadable) as failure:
        named = variable if reference is not None else "--token-file"
        raise CommandError(f"the token of {of}: {failure}", f"say where your token is with {named}") from None


def _source(file: Path, reference: str | None, variable: str) -> SecretSource:
    if reference is None:
        return FileSource(file)
    configure_logs(service="emily", namespace="emily", level="warning", format="auto")
    return SecretSetting(reference, name=variable)
