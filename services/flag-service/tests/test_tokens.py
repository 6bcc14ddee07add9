"""Only who has a token is let in, under the name that the file gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from emily_flag_service import tokens
from emily_flag_service.errors import Closed, Unauthorised
from emily_flag_service.service import FlagService
from emily_flag_service.settings import FlagServiceSettings
from emily_runtime import SettingsError

ANN, BOB = "a" * 20, "b" * 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "tokens"
    made.write_text(f"ann {ANN}\n\nbob {BOB}\n")
    return made


@pytest.mark.parametrize(("sent", "name"), [(f"Bearer {ANN}", "ann"), (f"bearer  {BOB} ", "bob")])
def test_a_token_tells_who_asks(file: Path, sent: str, name: str) -> None:
    assert tokens.owner_of(sent, file) == name


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer ", f"Basic {ANN}", ANN, f"Bearer {ANN}x", "Bearer ann", "Bearer ä"]
)
def test_nothing_else_does(file: Path, sent: str | None) -> None:
    with pytest.raises(Unauthorised, match="Authorization: "):
        tokens.owner_of(sent, file)


def test_a_token_that_was_taken_out_is_not_known_any_more(file: Path) -> None:
    file.write_text(f"bob {BOB}\n")
    with pytest.raises(Unauthorised):
        tokens.owner_of(f"Bearer {ANN}", file)


@pytest.mark.parametrize("content", [b"ann", b"ann short", f"ann {ANN} more".encode(), b"\xff\xfe"])
def test_a_file_that_is_wrong_lets_nobody_in(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content)
    with pytest.raises(Closed, match="NAME TOKEN") as refusal:
        tokens.owner_of(f"Bearer {ANN}", file)
    assert "short" not in str(refusal.value)


def test_an_empty_or_missing_file_lets_nobody_in(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    with pytest.raises(Closed, match="FileNotFoundError"):
        tokens.owner_of(f"Bearer {ANN}", file)
    file.write_text("")
    with pytest.raises(Unauthorised):
        tokens.owner_of(f"Bearer {ANN}", file)


def test_a_token_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "state" / "flags.token"
    assert tokens.make_missing(file)
    made = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert not tokens.make_missing(file)
    assert file.read_text() == made
    assert tokens.owner_of(f"Bearer {made.split()[1]}", file) == "operator"


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
