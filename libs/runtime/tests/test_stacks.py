"""What is wanted is read as it was written, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from emily_runtime.stacks import CURRENT, Stack, read_stacks, stacks_file, write_stacks


def test_what_was_written_is_read(tmp_path: Path) -> None:
    stacks = (
        Stack(colour="blue"),
        Stack(
            colour="green", release="v2", python="/v2/bin/python", path=("/v2",), settings={"EMILY_X": "1"}
        ),
    )
    write_stacks(tmp_path, stacks)
    assert read_stacks(tmp_path) == stacks
    assert stacks[0].release == CURRENT


@pytest.mark.parametrize("content", [None, b"", b"{}", b'[{"colour": "Blue!"}]'])
def test_nothing_is_wanted_where_nobody_said_so(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        stacks_file(tmp_path).write_bytes(content)
    assert read_stacks(tmp_path) is None
