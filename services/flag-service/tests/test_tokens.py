"""A service without a readable file of tokens does not start."""

from __future__ import annotations

from pathlib import Path

import pytest
from emily_flag_service.service import FlagService
from emily_flag_service.settings import FlagServiceSettings
from emily_runtime import SettingsError


def test_a_token_file_that_is_wrong_ends_the_start(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    settings = FlagServiceSettings(state_dir=tmp_path, token_file=file)
    with pytest.raises(SettingsError, match=r"token_file=.*: token_file: FileNotFoundError"):
        FlagService(settings)
    file.write_text("only-a-name\n")
    with pytest.raises(SettingsError, match="line 1 is not NAME TOKEN"):
        FlagService(settings)
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="name a file"):
        FlagService(FlagServiceSettings(state_dir=tmp_path / "file"))
