"""A service without readable tokens does not start."""

from __future__ import annotations

from pathlib import Path

import pytest
from emily_flag_service.service import FlagService
from emily_flag_service.settings import FlagServiceSettings
from emily_runtime import SettingsError


def test_a_token_file_that_is_wrong_ends_the_start(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    settings = FlagServiceSettings(state_dir=tmp_path, token_file=file)
    with pytest.raises(SettingsError, match=f"file:{file}: No such file"):
        FlagService(settings)
    file.write_text("only-a-name\n")
    with pytest.raises(SettingsError, match="line 1 is not NAME TOKEN"):
        FlagService(settings)
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="name one with token_secret"):
        FlagService(FlagServiceSettings(state_dir=tmp_path / "file"))
