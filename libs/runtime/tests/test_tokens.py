"""Only who has a token may give orders, under the name that the file gives."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from emily_runtime.tokens import TokensUnreadable, Unauthorised, make_missing, owner_of, owner_of_header, read

ANN, BOB = "a" * 20, "b" * 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "tokens"
    made.write_text(f"ann {ANN}\n\nbob {BOB}\n")
    return made


def test_a_token_tells_who_asks(file: Path) -> None:
    assert owner_of_header(f"Bearer {ANN}", file) == owner_of(ANN, file) == "ann"
    assert owner_of_header(f"bearer  {BOB} ", file) == "bob"


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer ", f"Basic {ANN}", ANN, f"Bearer {ANN}x", "Bearer ann", "Bearer ä"]
)
def test_nothing_else_does(file: Path, sent: str | None) -> None:
    with pytest.raises(Unauthorised, match="Authorization: "):
        owner_of_header(sent, file)


@pytest.mark.parametrize("content", [None, b"\xff", b"ann short\n", b"ann\n", f"ann {ANN} more".encode()])
def test_a_file_that_is_none_lets_nobody_in(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TokensUnreadable, match=r"token_file: .*NAME TOKEN") as refusal:
        owner_of(ANN, file)
    assert "short" not in str(refusal.value)


def test_a_token_that_was_taken_out_is_not_known_any_more(file: Path) -> None:
    file.write_text(f"bob {BOB}\n")
    with pytest.raises(Unauthorised):
        owner_of(ANN, file)
    file.write_text("")
    with pytest.raises(Unauthorised):
        owner_of(BOB, file)


def test_a_token_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "tokens"
    assert make_missing(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (token,) = read(file).values()
    assert owner_of(token, file) == "operator"
    assert not make_missing(file)
