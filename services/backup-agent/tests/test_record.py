"""What is due when, and a record that survives what a disk does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from emily_backup_agent.record import Book, JobRecord, is_due
from emily_contracts.backups import Attempt
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
