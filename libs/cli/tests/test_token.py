"""A command has its token from the file that is named, by a reference, or from the state folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from emily.errors import CommandError
from emily.token import token

VARIABLE = "EMILY_FLAGS_TOKEN_SECRET"


def had(state_dir: Path, file: Path | None = None) -> str:
    return token(file, of="flags", state_dir=state_dir)


def test_the_state_folder_has_it_where_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "flags.token").write_text("operator one\n")
    assert had(tmp_path) == "one"
    other = tmp_path / "other"
    other.write_text("two")
    assert had(tmp_path, other) == "two"


def test_a_variable_refers_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emily.token.configure_logs", lambda **_: None)
    monkeypatch.setenv("MINE", "operator three")
    monkeypatch.setenv(VARIABLE, "env:MINE")
    assert had(tmp_path) == "three"
    with pytest.raises(CommandError, match="give one of them"):
        had(tmp_path, tmp_path / "other")
    monkeypatch.setenv(VARIABLE, "operator three")
    with pytest.raises(CommandError, match="it may be the secret itself") as refusal:
        had(tmp_path)
    assert "three" not in str(refusal.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "open" / "token"
    file.parent.mkdir(mode=0o755)
    file.write_text("operator one\n")
    file.chmod(0o644)
    with pytest.raises(CommandError, match="others may read it"):
        had(tmp_path, file)
    file.chmod(0o600)
    assert had(tmp_path, file) == "one"
