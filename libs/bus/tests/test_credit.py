from __future__ import annotations

import pytest
from emily_bus.credit import UNBOUNDED, Source, Window, decode_grant, decode_reader, encode_grant, readers_of
from hypothesis import given
from hypothesis import strategies as st

READERS = (b"reader-1", b"reader-2", b"reader-3")


def arrive(source: Source, sequence: int) -> int:
    """As a subscription does."""
    if sequence != source.expected:
        return source.surprise(sequence)
    source.expected = sequence + 1
    return 0


def opened() -> Window:
    window = Window(lambda: None)
    window.open()
    return window


def test_window_is_closed_until_it_is_known_who_reads() -> None:
    window = Window(lambda: None)
    window.join(READERS[0], 4)
    assert window.limit == 0
    window.open()
    assert window.limit == 4


def test_window_without_readers_has_no_bound() -> None:
    assert opened().limit == UNBOUNDED


def test_slowest_reader_sets_the_limit_until_it_leaves() -> None:
    window = opened()
    window.join(READERS[0], 4)
    window.join(READERS[1], 8)
    window.sequence = 4
    window.grant(READERS[1], 4)
    assert window.limit == 4
    window.leave(READERS[0])
    assert window.limit == 12


def test_grant_of_what_was_never_sent_counts_only_to_what_was() -> None:
    window = opened()
    window.join(READERS[0], 4)
    window.sequence = 2
    window.grant(READERS[0], 1_000_000)
    assert window.limit == 6


def test_stranger_and_old_news_change_nothing() -> None:
    window = opened()
    window.join(READERS[0], 4)
    window.sequence = 4
    window.grant(READERS[0], 3)
    window.grant(READERS[0], 1)
    window.grant(READERS[1], 4)
    window.join(READERS[0], 100)
    assert window.limit == 7


def test_change_is_told() -> None:
    told: list[None] = []
    window = Window(lambda: told.append(None))
    window.open()
    window.join(READERS[0], 4)
    assert len(told) == 2


@given(
    room=st.integers(1, 12),
    script=st.lists(st.tuples(st.sampled_from(READERS), st.sampled_from(["send", "read", "join", "leave"]))),
)
def test_no_reader_ever_holds_more_than_its_room_and_none_starves(
    room: int, script: list[tuple[bytes, str]]
) -> None:
    window = opened()
    waiting: dict[bytes, list[int]] = {}
    sources: dict[bytes, Source] = {}

    def read(reader: bytes) -> None:
        sequence = waiting[reader].pop(0)
        if sequence >= sources[reader].due:
            sources[reader].granted(sequence)
            window.grant(reader, sequence)

    for reader, act in script:
        if act == "join" and reader not in waiting:
            waiting[reader], sources[reader] = [], Source("t", b"sender", room)
            window.join(reader, room)
        elif act == "leave" and reader in waiting:
            del waiting[reader]
            window.leave(reader)
        elif act == "send" and window.sequence < window.limit:
            window.sequence += 1
            for name, queue in waiting.items():
                queue.append(window.sequence)
                arrive(sources[name], window.sequence)
        elif act == "read" and waiting.get(reader):
            read(reader)
        assert all(len(queue) <= room for queue in waiting.values())
    for reader, queue in waiting.items():
        while queue:
            read(reader)
    assert window.sequence < window.limit


def test_source_counts_gaps_and_repetitions() -> None:
    source = Source("t", b"sender", 8)
    assert [arrive(source, number) for number in (5, 6, 9, 9, 7, 10)] == [0, 0, 2, -1, -1, 0]


@given(st.binary(min_size=8, max_size=8), st.integers(0, 2**64 - 1))
def test_grant_comes_back_as_it_went(reader: bytes, sequence: int) -> None:
    assert decode_grant(encode_grant(reader, sequence)) == (reader, sequence)


@given(st.binary(max_size=40).filter(lambda data: len(data) != 16))
def test_bytes_of_another_size_are_no_grant(data: bytes) -> None:
    assert decode_grant(data) is None


@given(st.binary(min_size=8, max_size=8), st.integers(1, 2**31))
def test_reader_and_room_are_read_from_the_token_in_any_space(reader: bytes, room: int) -> None:
    key = readers_of("percept/{modality}", reader.hex(), room)
    assert decode_reader(key) == decode_reader(f"emily/blue/{key}") == (reader, room)


@pytest.mark.parametrize(
    "key", ["reader/t/zz/4", "reader/t/00ff/four", "reader/t/00ff/0", "reader/t/00ff/-1"]
)
def test_token_that_names_no_reader_or_no_room_is_passed_over(key: str) -> None:
    assert decode_reader(key) is None
