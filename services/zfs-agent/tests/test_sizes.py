"""Sizes of people and of ZFS."""

import pytest
from emily_zfs_agent.sizes import bytes_of


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("131072", 131072),
        ("16K", 16384),
        ("1.5M", 1572864),
        ("2GiB", 2 << 30),
        ("3tb", 3 << 40),
        ("7B", 7),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "-", "-1", "K", "16Q", "1e3", "16 K B", "١٦K", "0x10"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        bytes_of(text)
