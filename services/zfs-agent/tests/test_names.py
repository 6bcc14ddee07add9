"""Only names of declared pools get through, and only names."""

import pytest
from emily_zfs_agent.errors import Refused
from emily_zfs_agent.names import hold_tag, parents, require_dataset, require_snapshot

POOLS = {"tank"}


@pytest.mark.parametrize("name", ["tank", "tank/a", "tank/a-b/c_d.e:f"])
def test_datasets_of_declared_pools_get_through(name: str) -> None:
    require_dataset(name, POOLS)
    require_snapshot(f"{name}@emily-1", POOLS)


@pytest.mark.parametrize(
    "name",
    ["", "-r", "/tank", "tank/", "tank//a", "tank/-r", "tank/..", "tank/a b", "tank/a\n", "tank/a@x",
     "tank/a%b", "tank/é", "tank/a;rm", "other/a", "tankother/a", "tank/" + "a" * 260],
)  # fmt: skip
def test_no_other_name_does(name: str) -> None:
    with pytest.raises(Refused, match="dataset="):
        require_dataset(name, POOLS)


@pytest.mark.parametrize(
    "name", ["tank/a", "tank/a@", "tank/a@-d", "tank/a@b@c", "tank/a@b,c", "tank/a@b%c", "x/a@b"]
)
def test_a_snapshot_is_named_as_a_whole(name: str) -> None:
    with pytest.raises(Refused):
        require_snapshot(name, POOLS)


def test_our_tags_are_told_from_those_of_others() -> None:
    assert hold_tag("backup-1") == "emily:backup-1"
    for tag in ("", "-r", "a b", "a/b", "x" * 129):
        with pytest.raises(Refused, match="tag="):
            hold_tag(tag)


def test_parents_are_nearest_first() -> None:
    assert parents("tank/a/b") == ("tank/a", "tank")
    assert parents("tank") == ()
