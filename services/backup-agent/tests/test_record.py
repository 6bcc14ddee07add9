"""What is due when, and a record that survives what a disk does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from emily_backup_agent.record import Book, JobRecord, is_due, with_part, without_proof
from emily_contracts.backups import Attempt, Read
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 27, tzinfo=UTC)
seconds = st.integers(0, 10_000_000)


@given(every=st.integers(1, 1_000_000), ago=seconds, failures=st.integers(0, 50))
def test_nothing_waits_longer_than_its_interval(every: int, ago: int, failures: int) -> None:
    due = is_due(NOW - timedelta(seconds=ago), every, NOW, failures=failures)
    assert due or ago < every


@given(every=st.integers(60, 1_000_000), failures=st.integers(1, 10))
def test_failures_are_retried_within_the_interval_and_never_at_once(every: int, failures: int) -> None:
    assert not is_due(NOW - timedelta(seconds=59), every, NOW, failures=failures)
    assert is_due(NOW - timedelta(seconds=60 * 2 ** (failures - 1)), every, NOW, failures=failures)


@given(parts=st.integers(1, 50), before=st.integers(0, 50))
def test_damage_is_told_until_every_part_was_read_without_any(parts: int, before: int) -> None:
    read = without_proof(Read(part=before % (parts + 1)), "a pack is damaged", damaged=True, at=NOW)
    for number in range(parts):
        assert (read.damaged, read.reason, read.whole_at) == (True, "a pack is damaged", None)
        assert read.part == number
        read = with_part(read, read.part % parts + 1, of=parts, at=NOW)
    assert read == Read(part=parts, whole_at=NOW, at=NOW)


def test_check_that_was_only_kept_from_reading_is_forgotten_with_the_next_part() -> None:
    read = without_proof(Read(part=3, whole_at=NOW), "somebody else works on it", damaged=False, at=NOW)
    assert (read.part, read.damaged, read.reason) == (3, False, "somebody else works on it")
    assert with_part(read, 4, of=24, at=NOW) == Read(part=4, whole_at=NOW, at=NOW)


def test_what_never_ran_or_ran_in_the_future_is_due() -> None:
    assert is_due(None, 3600, NOW)
    assert is_due(NOW + timedelta(days=1), 3600, NOW)


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    book = Book(tmp_path / "records.json")
    attempt = Attempt(run="a", started_at=NOW, step="files")
    book.keep("one", JobRecord().begun(attempt))
    book.opened("/repository")
    again = Book(tmp_path / "records.json")
    assert again.of("one") == JobRecord(attempt=attempt, failures=1)
    assert again.records.repository == "/repository"
    assert again.of("another") == JobRecord()


def test_damaged_records_are_put_aside_and_nothing_is_taken_as_done(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    file.write_text('{"jobs": {"one"')
    assert Book(file).of("one") == JobRecord()
    assert (tmp_path / "records.damaged").exists()
