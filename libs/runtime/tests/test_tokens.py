"""Only who has a token may give orders, under the name that stands beside it."""

from __future__ import annotations

import getpass
import stat
from pathlib import Path
from typing import Annotated

import pytest
from emily_runtime import ServiceSettings, SettingsError
from emily_runtime.secrets import FileSource, SecretRefused, SecretUnavailable
from emily_runtime.secrets.reference import SecretReference
from emily_runtime.secrets.trail import NAME, Trail
from emily_runtime.tokens import (
    Tokens,
    TokensUnreadable,
    Unauthorised,
    first_token,
    make_missing,
    read,
    tokens_of,
)
from msgspec import Meta

ANN, BOB = "a" * 20, "b" * 20

pytestmark = pytest.mark.anyio


class DeskSettings(ServiceSettings, frozen=True, kw_only=True):
    token_secret: Annotated[SecretReference | None, Meta(description="Of who may")] = None
    token_file: Path | None = None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "tokens"
    made.write_text(f"ann {ANN}\n\nbob {BOB}\n")
    return made


@pytest.fixture
def tokens(file: Path) -> Tokens:
    return Tokens(FileSource(file))


async def test_a_token_tells_who_asks(tokens: Tokens) -> None:
    assert await tokens.owner_of_header(f"Bearer {ANN}") == await tokens.owner(ANN) == "ann"
    assert await tokens.owner_of_header(f"bearer  {BOB} ") == "bob"


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer ", f"Basic {ANN}", ANN, f"Bearer {ANN}x", "Bearer ann", "Bearer ä"]
)
async def test_nothing_else_does(tokens: Tokens, sent: str | None) -> None:
    with pytest.raises(Unauthorised, match="Authorization: "):
        await tokens.owner_of_header(sent)


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff", b"ann short\n", b"ann\n", f"ann {ANN} more".encode()]
)
async def test_a_secret_that_lists_none_lets_nobody_in(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TokensUnreadable, match=r"^token") as refusal:
        await Tokens(FileSource(file)).owner(ANN)
    assert "short" not in str(refusal.value)
    assert str(tmp_path) not in str(refusal.value)


async def test_a_server_that_is_away_lets_nobody_in() -> None:
    class Away:
        def read(self) -> None:
            raise SecretUnavailable("infisical:/tokens: is away")

    with pytest.raises(TokensUnreadable, match="the log says why"):
        await Tokens(Away()).owner(ANN)  # type: ignore[arg-type]


async def test_a_token_that_was_taken_out_is_not_known_any_more(file: Path, tokens: Tokens) -> None:
    assert await tokens.owner(ANN) == "ann"
    file.write_text(f"bob {BOB}\n")
    with pytest.raises(Unauthorised):
        await tokens.owner(ANN)


def test_a_token_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "tokens"
    assert make_missing(file, by="desk")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(read(file)) == ["operator"]
    assert not make_missing(file, by="desk")


def test_a_token_that_is_made_is_on_record_without_its_value(tmp_path: Path) -> None:
    tokens = tokens_of(DeskSettings(state_dir=tmp_path), "desk.token", by="desk")
    tokens_of(DeskSettings(state_dir=tmp_path), "desk.token", by="desk")
    (entry,), _ = Trail(tmp_path).verified()
    assert (entry.secret, entry.act, entry.who) == ("desk.token", "made", f"desk as {getpass.getuser()}")
    assert tokens.read()["operator"] not in (tmp_path / NAME).read_text()


def test_no_token_is_made_where_the_record_was_changed(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("somebody was here\n")
    with pytest.raises(SettingsError, match="line 1 is not what was written there"):
        tokens_of(DeskSettings(state_dir=tmp_path), "desk.token", by="desk")
    assert not (tmp_path / "desk.token").exists()
    (tmp_path / "desk.token").write_text(f"ann {ANN}")
    assert tokens_of(DeskSettings(state_dir=tmp_path), "desk.token", by="desk").read() == {"ann": ANN}


@pytest.mark.parametrize("content", [ANN, f"ann {ANN}", f"ann {ANN}\nbob {BOB}\n"])
def test_who_gives_orders_has_the_first_token(file: Path, content: str) -> None:
    file.write_text(content)
    assert first_token(FileSource(file)) == ANN


@pytest.mark.parametrize("content", ["\n\n", "one two three", " "])
def test_a_secret_without_one_is_refused(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(TokensUnreadable, match="holds no token"):
        first_token(FileSource(file))


async def test_tokens_are_those_that_the_settings_refer_to(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENS", f"eve {ANN}")
    for given, name in (
        (DeskSettings(state_dir=tmp_path, token_secret="env:TOKENS"), "eve"),  # pragma: allowlist secret
        (DeskSettings(state_dir=tmp_path, token_secret=f"file:{file}"), "ann"),
        (DeskSettings(state_dir=tmp_path, token_file=file), "ann"),
    ):
        assert await tokens_of(given, "desk.token", by="desk").owner(ANN) == name
    assert not (tmp_path / "desk.token").exists()


async def test_tokens_that_no_setting_names_are_made_in_the_state_folder(tmp_path: Path) -> None:
    tokens = tokens_of(DeskSettings(state_dir=tmp_path), "desk.token", by="desk")
    (token,) = read(tmp_path / "desk.token").values()
    assert await tokens.owner(token) == "operator"


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [(None, 0, "No such file"), ("ann short", 0o600, "line 1"), (f"ann {ANN}", 0o644, "others may read it")],
)
def test_tokens_that_are_wrong_end_the_start(
    tmp_path: Path, content: str | None, mode: int, said: str
) -> None:
    file = tmp_path / "open" / "tokens"
    file.parent.mkdir(mode=0o755)
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(SettingsError, match=said) as refusal:
        tokens_of(DeskSettings(state_dir=tmp_path, token_file=file), "desk.token", by="desk")
    assert "short" not in str(refusal.value)
    assert isinstance(refusal.value, SecretRefused) is (said != "line 1")
