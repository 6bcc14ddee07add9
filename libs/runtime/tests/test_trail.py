"""The record of secrets: who made or rotated which, so that nobody can change it unseen."""

from __future__ import annotations

import getpass
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from emily_runtime.errors import TrailBroken
from emily_runtime.secrets.trail import NAME, Entry, Trail
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def test_what_is_made_is_on_record_once_it_was_made(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    with trail.making("router.token", by="router"):
        assert trail.verified()[0] == ()
    with pytest.raises(OSError, match="full"), trail.making("other.token", by="router"):
        raise OSError("full")
    (entry,), _ = trail.verified()
    assert (entry.who, entry.secret, entry.act) == (f"router as {getpass.getuser()}", "router.token", "made")
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_services_that_start_together_all_get_their_line(tmp_path: Path) -> None:
    def make(number: int) -> None:
        with Trail(tmp_path).making(f"{number}.token", by=f"service-{number}"):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(40)))
    entries, _ = Trail(tmp_path).verified()
    assert {entry.secret for entry in entries} == {f"{number}.token" for number in range(40)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_no_byte_of_the_record_can_be_changed_and_no_line_removed_unseen(
    tmp_path: Path, data: st.DataObject
) -> None:
    trail, file = Trail(tmp_path), tmp_path / NAME
    file.unlink(missing_ok=True)
    for number in range(4):
        trail.append(f"secret-{number}", "rotated")
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    if data.draw(st.booleans()):
        del lines[data.draw(st.integers(0, 2))]
        changed = b"".join(lines)
    else:
        place = data.draw(st.integers(0, len(whole) - len(lines[-1]) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[place]))
        changed = whole[:place] + bytes([byte]) + whole[place + 1 :]
    file.write_bytes(changed)
    with pytest.raises(TrailBroken, match="is not what was written there"):
        trail.verified()
    with pytest.raises(TrailBroken):
        trail.append("another", "made")
    assert file.read_bytes() == changed


def test_last_line_has_a_hash_that_shows_when_it_was_cut_off(tmp_path: Path) -> None:
    trail, file = Trail(tmp_path), tmp_path / NAME
    heads = []
    for number in range(3):
        trail.append(f"secret-{number}", "made")
        heads.append(trail.verified()[1])
    assert len(set(heads)) == 3
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    entries, head = trail.verified()
    assert (len(entries), head) == (2, heads[1])
    assert isinstance(entries[0], Entry)
