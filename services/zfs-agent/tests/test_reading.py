"""What ZFS writes is read as it is, or not at all."""

import pytest
from emily_zfs_agent.errors import Unreadable
from emily_zfs_agent.reading import listing, properties, tags
from emily_zfs_agent.testing import facts


def test_a_listing_has_datasets_and_snapshots_and_no_bookmarks() -> None:
    seen = listing(
        "tank/a\ttype\t-\tfilesystem\n"
        + facts("tank/a@emily-1", creation=1795746571, txg=18, guid=17293822569102704640, policy="tank/a")
        + "tank/a#mark\ttype\t-\tbookmark\ntank/a/disk\ttype\t-\tvolume\n"
    )
    (snapshot,) = seen.snapshots
    assert seen.datasets == ("tank/a", "tank/a/disk")
    assert seen.volumes == {"tank/a/disk"}
    assert (snapshot.guid, snapshot.createtxg, snapshot.used) == ("17293822569102704640", 18, 8192)
    assert snapshot.creation.isoformat() == "2026-11-27T02:29:31+00:00"
    assert (snapshot.policy, snapshot.own) == ("tank/a", True)


@pytest.mark.parametrize("source", ["inherited from tank/a", "received", "default"])
def test_a_property_that_was_not_set_on_the_snapshot_does_not_make_it_ours(source: str) -> None:
    written = facts("tank/a@emily-1", creation=1, txg=1, guid=1, policy="tank/a", source=source)
    assert not listing(written).snapshots[0].own


def test_a_value_may_hold_tabs() -> None:
    assert properties("tank\tx:y\tlocal\ta\tb\n")["tank"]["x:y"].value == "a\tb"


@pytest.mark.parametrize(
    "change", [("1795746571", "Fri Nov 27  2:29 2026"), ("\t18\n", "\t-\n"), ("\t7\n", "\t1.74E\n")]
)
def test_a_fact_that_is_not_exact_is_an_error(change: tuple[str, str]) -> None:
    written = facts("tank/a@emily-1", creation=1795746571, txg=18, guid=7).replace(*change)
    with pytest.raises(Unreadable, match="tank/a@emily-1"):
        listing(written)


def test_a_line_without_its_columns_is_an_error() -> None:
    with pytest.raises(Unreadable, match="columns"):
        properties("tank\tcreation\n")
    with pytest.raises(Unreadable, match="columns"):
        tags("tank/a@x\ttag\n")


def test_all_who_hold_a_snapshot_are_told() -> None:
    written = "tank/a@x\temily:b\tFri Nov 27  2:29 2026\ntank/a@x\tzrepl\tFri Nov 27  2:30 2026\n"
    assert tags(written) == {"tank/a@x": ("emily:b", "zrepl")}
