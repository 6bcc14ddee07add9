"""One file says what is wished for, and everything that is wrong with it is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from emily_zfs_agent.desired import parsed, read
from emily_zfs_agent.errors import DesiredStateError
from emily_zfs_agent.policy import Policy

GOOD = """
[pools.tank]
layout = ["mirror of two 4T disks", "special mirror of two 64G SSDs"]
scrub_every_days = 30

[datasets."tank/emily"]
properties = { recordsize = "128K", special_small_blocks = "32K", compression = "zstd", copies = 2 }

[datasets."tank/emily".snapshots]
recursive = true
hourly = 24
daily = 7
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(DesiredStateError) as wrong:
        parsed(text)
    return wrong.value.problems


def test_a_desired_state_is_read(tmp_path: Path) -> None:
    file = tmp_path / "zfs.toml"
    file.write_text(GOOD)
    desired = read(file)
    assert desired.pools["tank"].scrub_every_days == 30
    assert desired.datasets["tank/emily"].properties["copies"] == "2"
    assert desired.policies() == {"tank/emily": Policy(recursive=True, hourly=24, daily=7)}
    assert str(desired.policies()["tank/emily"]) == "24 hourly, 7 daily, recursive"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DesiredStateError, match=r"none.toml: No such file"):
        read(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(DesiredStateError, match="UTF-8"):
        read(tmp_path / "bytes.toml")


def test_all_problems_are_told_at_once() -> None:
    told = problems("""
        pool = 1
        [pools.tank]
        scrub_every_days = 0
        lay = "x"
        [datasets."tank/a"]
        properties = { compresion = "on", atime = true, quota = "50Q", copies = 1.5 }
        snapshots = { hourly = -3, dayly = 2 }
        [datasets."tank/b".snapshots]
        [datasets."other/c"]
        [datasets."tank/d d"]
        [datasets."tank/e"]
        mountpoint = "/srv"
    """)
    for number, words in enumerate((
        "pool: no such table",
        'pools."tank".scrub_every_days=0',
        'pools."tank".lay: no such key; did you mean layout?',
        'datasets."tank/a".properties.atime: true is no value of ZFS; write "on" or "off"',
        'datasets."tank/a".properties.copies: 1.5 is no value of ZFS',
        'datasets."tank/a".snapshots.hourly=-3',
        'datasets."tank/a".snapshots.dayly: no such key; did you mean daily?',
        'datasets."tank/b".snapshots: keeps nothing',
        'datasets."tank/e".mountpoint: no such key',
        'datasets."other/c": in no declared pool',
        'datasets."tank/d d": no name of a dataset',
        'datasets."tank/a".properties.compresion',
        'datasets."tank/a".properties.quota',
    )):  # fmt: skip
        assert sum(each.startswith(words) for each in told) == 1, (number, words, told)
    assert len(told) == 13


@pytest.mark.parametrize(
    "tables",
    [
        '[datasets."tank/a".properties]\nrecordsize = "16K"\nspecial_small_blocks = "16K"',
        '[datasets."tank/a".properties]\nspecial_small_blocks = "128K"',
        '[datasets.tank.properties]\nspecial_small_blocks = "16K"\n'
        '[datasets."tank/a".properties]\nrecordsize = "8K"',
    ],
)
def test_a_dataset_that_would_fill_the_special_vdev_is_refused(tables: str) -> None:
    (told,) = problems(f"[pools.tank]\n{tables}")
    assert told.startswith('datasets."tank/a": special_small_blocks=')
    assert "must be < recordsize=" in told


def test_small_blocks_below_the_recordsize_are_fine() -> None:
    parsed('[pools.tank]\n[datasets."tank/a".properties]\nspecial_small_blocks = "64K"')
    parsed('[pools.tank]\n[datasets."tank/a".properties]\nrecordsize = "4K"\nspecial_small_blocks = 0')


def test_two_policies_on_one_dataset_are_refused() -> None:
    below = '[datasets."tank/a/b/c".snapshots]\ndaily = 1\n'
    above = '[pools.tank]\n[datasets."tank/a".snapshots]\ndaily = 1\n'
    (told,) = problems(above + "recursive = true\n" + below)
    assert 'datasets."tank/a/b/c".snapshots: datasets."tank/a".snapshots is recursive' in told
    parsed(above + below)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "not TOML"),
        ("pools = 1", "pools: is not a table"),
        ("[pools]\ntank = 1", 'pools."tank": is not a table'),
        ('[pools."-x"]', "no name of a pool"),
        ('[pools.tank]\n[datasets."tank/a"]\nproperties = 1', "properties: is not a table"),
        ('[pools.tank]\n[datasets."tank/a"]\nsnapshots = 1', "snapshots: is not a table"),
    ],
)
def test_what_is_no_desired_state_is_told(text: str, words: str) -> None:
    assert words in problems(text)[0]
