"""A plan tells every difference and only ever creates and sets; apply is the plan carried out."""

from __future__ import annotations

import pytest
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.desired import parsed
from emily_zfs_agent.plan import Change, Found, drift
from emily_zfs_agent.planning import apply, main, plan
from emily_zfs_agent.reading import Property
from emily_zfs_agent.testing import Recorded
from emily_zfs_agent.zfs import Zfs

NOTHING = Found(pools=frozenset(("tank",)), datasets=frozenset(("tank",)), properties={"tank": {}})


def differences(text: str, found: Found = NOTHING) -> tuple[Change, ...]:
    return drift(parsed(text), found)


def with_properties(name: str, source: str = "local", **values: str) -> Found:
    told = {key: Property(value, source) for key, value in values.items()}
    return NOTHING._replace(datasets=frozenset(("tank", name)), properties={"tank": {}, name: told})


def test_a_missing_pool_is_left_to_people() -> None:
    (change,) = differences('[pools.other]\nlayout = ["mirror a b"]\n[datasets."other/a"]')
    assert (change.kind, change.wanted, change.command) == ("pool missing", "mirror a b", ())


def test_missing_datasets_are_created_from_above() -> None:
    told = differences(
        '[pools.tank]\n[datasets."tank/a/b"]\n[datasets."tank/a".properties]\n"x:y" = "a b"\natime = "off"'
    )
    assert [each.command for each in told] == [
        ("create", "-o", "x:y=a b", "-o", "atime=off", "tank/a"),
        ("create", "tank/a/b"),
    ]


def test_a_dataset_below_one_that_nobody_wants_is_not_created() -> None:
    (change,) = differences('[pools.tank]\n[datasets."tank/a/b"]')
    assert change.command == ()
    assert 'add datasets."tank/a"' in change.words


def test_a_value_that_is_written_in_another_way_is_no_difference() -> None:
    text = '[pools.tank]\n[datasets."tank/a".properties]\nrecordsize = "64K"\nquota = "none"'
    assert differences(text, with_properties("tank/a", recordsize="65536", quota="0")) == ()
    (change,) = differences(text, with_properties("tank/a", recordsize="131072", quota="0"))
    assert (change.property, change.found, change.command) == (
        "recordsize",
        "131072",
        ("set", "recordsize=64K", "tank/a"),
    )


def test_what_is_decided_at_creation_is_left_to_people() -> None:
    text = '[pools.tank]\n[datasets."tank/a".properties]\nutf8only = "on"'
    (change,) = differences(text, with_properties("tank/a", utf8only="off"))
    assert change.command == ()


def test_an_inherited_value_that_would_fill_the_special_vdev_is_a_trap() -> None:
    text = '[pools.tank]\n[datasets."tank/a".properties]\nrecordsize = "16K"'
    above = {"special_small_blocks": Property("16384", "local"), "recordsize": Property("131072", "default")}
    found = NOTHING._replace(properties={"tank": above})
    (change,) = differences(text, found)
    assert (change.kind, change.command) == ("trap", ())
    assert differences(text + '\nspecial_small_blocks = "8K"', found)[0].kind == "dataset missing"


def test_a_plan_can_only_create_and_set(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="only creates"):
        Zfs(Commands()).carry_out(("destroy", "tank/a"))
    for name in ("tank/a", "tank/a@b,c", "tank/a@b%c"):
        with pytest.raises(ValueError, match="is not one snapshot"):
            Zfs(Commands()).destroy(name)
    assert not recorded.calls("zfs destroy")


def test_apply_brings_a_real_pool_to_the_desired_state(dataset: str) -> None:
    pool = dataset.partition("/")[0]
    desired = parsed(f"""
        [pools.{pool}]
        [datasets."{dataset}".properties]
        compression = "gzip"
        recordsize = "64K"
        quota = "50M"
        "com.example:owner" = "Ann and Bob"
        [datasets."{dataset}/new"]
        [datasets."{dataset}/new/below".properties]
        atime = "off"
    """)
    zfs = Zfs(Commands())
    wanted = plan(desired, zfs)
    assert plan(desired, zfs) == wanted
    done = apply(desired, zfs)
    assert (done.changes, done.failed, done.left) == (wanted.changes, (), ())
    assert len(wanted.changes) == 6
    assert plan(desired, zfs).changes == ()


def test_what_zfs_refuses_is_told_in_its_words_and_the_rest_is_done(dataset: str) -> None:
    pool = dataset.partition("/")[0]
    desired = parsed(f"""
        [pools.{pool}]
        [datasets."{dataset}".properties]
        atime = "off"
        quota = "1"
    """)
    done = apply(desired, Zfs(Commands()))
    assert [each.change.property for each in done.failed] == ["quota"]
    assert "size" in done.failed[0].reason
    assert [each.property for each in done.left] == ["quota"]


def test_what_is_wrong_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "/nowhere.toml"]) == 1
    assert "/nowhere.toml: No such file" in capsys.readouterr().err
