from __future__ import annotations

from emily_contracts.routing import BUCKETS, RoutingTable
from emily_router.routing.moves import Move, moves
from hypothesis import given
from hypothesis import strategies as st

COLOURS = ("blue", "green", "red")


@st.composite
def tables(draw: st.DrawFn) -> RoutingTable:
    active, other, third = draw(st.permutations(COLOURS))
    canary = draw(st.sampled_from((None, other)))
    weight = 0 if canary is None else draw(st.integers(0, BUCKETS))
    shadow = draw(st.sampled_from((None, third)))
    return RoutingTable(version=1, active=active, canary=canary, weight=weight, shadow=shadow)


@given(tables(), tables(), st.integers(0, BUCKETS - 1))
def test_a_subject_moves_once_and_only_where_its_colour_changes(
    old: RoutingTable, new: RoutingTable, bucket: int
) -> None:
    answering = [
        each for each in moves(old, new) if each.low <= bucket < each.high and each.taker != new.shadow
    ]
    if old.colour_of(bucket) == new.colour_of(bucket):
        assert answering == []
    else:
        (move,) = answering
        assert (move.giver, move.taker) == (old.colour_of(bucket), new.colour_of(bucket))


@given(tables())
def test_nothing_moves_where_nothing_changes(table: RoutingTable) -> None:
    assert moves(table, table) == ()


def test_a_new_shadow_takes_the_whole_mind_of_the_active_colour() -> None:
    old = RoutingTable(version=1, active="blue")
    new = RoutingTable(version=2, active="blue", shadow="green")
    assert moves(old, new) == (Move("blue", "green", 0, BUCKETS),)
    assert moves(new, RoutingTable(version=3, active="green")) == (Move("blue", "green", 0, BUCKETS),)
