"""What can be wished for, and how ZFS shows it."""

import pytest
from emily_zfs_agent.properties import exact


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("recordsize", "16K", "16384"),
        ("special_small_blocks", "0", "0"),
        ("quota", "none", "0"),
        ("quota", "1.5G", "1610612736"),
        ("compression", "zstd-19", "zstd-19"),
        ("mountpoint", "/srv/with blank", "/srv/with blank"),
        ("com.example:owner", "Ann", "Ann"),
    ],
)
def test_a_value_is_shown_as_zfs_shows_it(name: str, value: str, shown: str) -> None:
    assert exact(name, value) == shown


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("compresion", "on", "did you mean compression"),
        ("creation", "1", "no property that can be wished for"),
        ("compression", "zstd-20", "does not fit"),
        ("atime", "yes", "on|off"),
        ("recordsize", "100K", "power of two"),
        ("recordsize", "0", "power of two"),
        ("recordsize", "32M", "power of two"),
        ("quota", "many", "is not a size"),
        ("mountpoint", "srv", "does not fit"),
        ("org.emily:policy", "x", "a name of your own"),
        ("Com.Example:x", "x", "lower-case"),
        ("com.example:x", "a\nb", "printable"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(name: str, value: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("|", r"\|")):
        exact(name, value)
