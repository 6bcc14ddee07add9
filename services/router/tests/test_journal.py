from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from emily_contracts.stimulus import Stimulus
from emily_router.errors import JournalBusy, JournalUnwritable
from emily_router.journal import Accepted, Answered, Delivered, Journal
from emily_router.testing import decision_of, stimulus
from hypothesis import given
from hypothesis import strategies as st


def accepted(item: Stimulus) -> Accepted:
    return Accepted(at=1.0, colour="blue", stimulus=item)


def answered(item: Stimulus) -> Answered:
    return Answered(at=2.0, stimulus_id=item.id, decision=msgspec.msgpack.encode(decision_of(item)))


def test_what_was_accepted_and_not_answered_is_still_owed_after_a_restart(tmp_path: Path) -> None:
    owed, unsaid, done = stimulus(), stimulus(), stimulus()
    with Journal(tmp_path) as journal:
        journal.append([accepted(owed), accepted(unsaid), accepted(done)])
        journal.append([answered(unsaid), answered(done), Delivered(stimulus_id=done.id)])
    with Journal(tmp_path) as journal:
        assert [record.stimulus for record in journal.recovery.owed] == [owed]
        assert journal.recovery.undelivered == (answered(unsaid),)
        assert journal.recovery.answered == (answered(unsaid), answered(done))
        assert journal.recovery.torn == 0


@given(st.data())
def test_a_record_cut_off_anywhere_costs_only_itself(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    first, second = stimulus(), stimulus()
    with Journal(directory) as journal:
        journal.append([accepted(first)])
        (segment,) = directory.glob("*.journal")
        whole = segment.stat().st_size
        journal.append([accepted(second)])
    cut = data.draw(st.integers(whole, segment.stat().st_size - 1))
    os.truncate(segment, cut)
    with Journal(directory) as journal:
        assert [record.stimulus for record in journal.recovery.owed] == [first]
        assert journal.recovery.torn == cut - whole


def test_a_damaged_record_is_not_believed(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([accepted(stimulus())])
        (segment,) = tmp_path.glob("*.journal")
    content = bytearray(segment.read_bytes())
    content[-1] ^= 0xFF
    segment.write_bytes(content)
    with Journal(tmp_path) as journal:
        assert journal.recovery.owed == ()
        assert journal.recovery.torn == len(content)


def test_size_stays_bounded_and_nothing_owed_is_dropped_with_old_segments(tmp_path: Path) -> None:
    owed = stimulus()
    with Journal(tmp_path, segment_bytes=2000, segments=2) as journal:
        journal.append([accepted(owed)])
        for _ in range(200):
            item = stimulus()
            journal.append([accepted(item), answered(item)])
            journal.append([Delivered(stimulus_id=item.id)])
        assert len(list(tmp_path.glob("*.journal"))) == 2
        assert sum(path.stat().st_size for path in tmp_path.glob("*.journal")) < 10_000
    with Journal(tmp_path) as journal:
        assert [record.stimulus for record in journal.recovery.owed] == [owed]


def test_one_directory_belongs_to_one_router(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(JournalBusy, match="state_dir"):
        Journal(tmp_path)


def test_a_write_that_does_not_fit_is_taken_back_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stimulus(), stimulus()
    write = os.write
    with Journal(tmp_path) as journal:
        journal.append([accepted(first)])
        with monkeypatch.context() as full_disk:
            full_disk.setattr(os, "write", lambda file, data: write(file, data[:10]))
            with pytest.raises(JournalUnwritable, match="free some space"):
                journal.append([accepted(second)])
        journal.append([accepted(second)])
    with Journal(tmp_path) as journal:
        assert [record.stimulus for record in journal.recovery.owed] == [first, second]
        assert journal.recovery.torn == 0
