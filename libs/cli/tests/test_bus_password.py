"""The password of an embedded bus is made once and for its owner alone."""

from __future__ import annotations

from pathlib import Path

from emily.bus import settings
from emily.bus_password import make_password
from emily.system import Layout
from emily_runtime.secrets.trail import NAME, Trail


def test_it_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    layout = Layout(state_dir=tmp_path)
    assert settings(layout).user is None
    make_password(layout)
    password = layout.bus_password.read_text()
    assert f"emily:{password}\n" in layout.bus_passwords.read_text()
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    make_password(layout)
    assert layout.bus_password.read_text() == password
    asked = settings(layout).password
    assert asked is not None
    assert asked() == password


def test_half_of_it_is_made_anew(tmp_path: Path) -> None:
    layout = Layout(state_dir=tmp_path)
    make_password(layout)
    layout.bus_passwords.unlink()
    (tmp_path / "bus.passwords.new").write_text("torn")
    make_password(layout)
    assert f"emily:{layout.bus_password.read_text()}\n" in layout.bus_passwords.read_text()
    assert {file.name for file in tmp_path.iterdir()} == {"bus.password", "bus.passwords", NAME}
    entries, _ = Trail(tmp_path).verified()
    assert [(entry.secret, entry.act) for entry in entries] == [("bus.password", "made")] * 2
