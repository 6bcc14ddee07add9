"""A drill takes nothing for granted."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from emily_backup_agent.drill import Comparison, compare, differences
from emily_backup_agent.errors import DrillFailed
from emily_postgres.dumping import Table

OLD = datetime(2020, 1, 1, tzinfo=UTC)
MADE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source" / "file"
    file.parent.mkdir()
    file.write_bytes(b"as it was")
    os.utime(file, (OLD.timestamp(), OLD.timestamp()))
    return file


@pytest.fixture
def copy(tmp_path: Path, source: Path) -> Path:
    file = tmp_path / "restored" / source.relative_to("/")
    file.parent.mkdir(parents=True)
    shutil.copy2(source, file)
    return file


def test_copy_of_an_unchanged_source_is_compared(tmp_path: Path, source: Path, copy: Path) -> None:
    (copy.parent / "empty").mkdir()
    (copy.parent / "link").symlink_to("file")
    assert compare(tmp_path / "restored", MADE) == Comparison(1, 9, 1, 0)


def test_other_bytes_in_the_same_size_are_found(tmp_path: Path, source: Path, copy: Path) -> None:
    copy.write_bytes(b"as it is!")
    os.utime(copy, (OLD.timestamp(), OLD.timestamp()))
    with pytest.raises(DrillFailed, match="file: was restored with other bytes"):
        compare(tmp_path / "restored", MADE)


def test_source_that_changed_or_went_is_only_counted(tmp_path: Path, source: Path, copy: Path) -> None:
    source.write_bytes(b"different")
    assert compare(tmp_path / "restored", MADE) == Comparison(1, 9, 0, 1)
    source.unlink()
    assert compare(tmp_path / "restored", MADE) == Comparison(1, 9, 0, 1)


def test_tables_that_differ_are_named() -> None:
    expected = [
        Table(name="a", rows=2, digest="7"),
        Table(name="b", rows=1, digest="1"),
        Table(name="c", rows=1),
    ]
    found = [Table(name="a", rows=2, digest="8"), Table(name="b", rows=2, digest="1")]
    assert differences(expected, found) == ("a has other rows", "b has 2 rows, not 1", "c is missing")
    assert differences(expected, expected) == ()
