"""Checkpoints: what goes in comes out, and what was changed or is of another mind does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from emily_runtime import CheckpointError, NoMigration
from emily_runtime.checkpoint import decode_state, encode_state, read_checkpoint, write_atomically
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray


class Inner(msgspec.Struct, frozen=True):
    """A part of a state."""

    weights: NDArray[Any] | None
    label: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A state with everything that minds keep."""

    belief: NDArray[Any]
    inner: Inner
    looks: dict[int, float]
    seen: tuple[str, ...] = ()


ARRAYS = arrays.arrays(
    dtype=st.one_of(
        arrays.floating_dtypes(),
        arrays.integer_dtypes(),
        arrays.boolean_dtypes(),
        arrays.complex_number_dtypes(),
    ),
    shape=arrays.array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=5),
)
STATES = st.builds(
    State,
    belief=ARRAYS,
    inner=st.builds(Inner, weights=st.none() | ARRAYS, label=st.text(max_size=20)),
    looks=st.dictionaries(st.integers(-5, 300), st.floats(allow_nan=False), max_size=8),
    seen=st.lists(st.text(max_size=5), max_size=4).map(tuple),
)


def same(one: NDArray[Any] | None, other: NDArray[Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@given(STATES)
def test_a_state_comes_back_bit_for_bit_and_in_its_order(state: State) -> None:
    back = decode_state(encode_state(state, name="mind", version=2), State, name="mind", version=2)
    assert same(back.belief, state.belief)
    assert same(back.inner.weights, state.inner.weights)
    assert (back.inner.label, back.seen) == (state.inner.label, state.seen)
    assert list(back.looks.items()) == list(state.looks.items())


@given(STATES, st.data())
def test_a_checkpoint_with_one_changed_or_missing_byte_is_refused(state: State, data: st.DataObject) -> None:
    whole = encode_state(state, name="mind", version=2)
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    for torn in (bytes(changed), whole[:place]):
        with pytest.raises(CheckpointError):
            decode_state(torn, State, name="mind", version=2)


def test_a_transposed_array_keeps_its_values() -> None:
    turned = np.arange(6.0).reshape(2, 3).T
    state = State(belief=turned, inner=Inner(None, ""), looks={})
    back = decode_state(encode_state(state, name="mind", version=1), State, name="mind", version=1)
    assert np.array_equal(back.belief, turned)
    assert back.belief.flags.writeable


@pytest.mark.parametrize(("name", "version"), [("reflex", 2), ("mind", 3)])
def test_a_checkpoint_of_another_mind_or_version_says_what_it_holds(name: str, version: int) -> None:
    data = encode_state(Inner(None, "x"), name="mind", version=2)
    with pytest.raises(CheckpointError, match=f"holds mind in version 2; {name} in version {version}"):
        decode_state(data, Inner, name=name, version=version)


class First(msgspec.Struct):
    """Version 1 of a state that is `Inner` in version 3."""

    weights: NDArray[Any]


MIGRATIONS = {
    1: lambda old: {"weights": old["weights"] * 2, "name": "old"},
    2: lambda old: {"weights": old["weights"], "label": old["name"] + "!"},
}


def test_an_earlier_version_is_migrated_step_by_step() -> None:
    data = encode_state(First(np.array([0.1, 0.2])), name="mind", version=1)
    state = decode_state(data, Inner, name="mind", version=3, migrations=MIGRATIONS)
    assert state.label == "old!"
    assert same(state.weights, np.array([0.2, 0.4]))


@pytest.mark.parametrize("version", [0, 2, 9])
def test_a_version_from_which_no_migrations_lead_is_told(version: int) -> None:
    data = encode_state(First(np.ones(1)), name="mind", version=version)
    with pytest.raises(NoMigration, match=f"holds mind in version {version}; mind in version 3 is needed"):
        decode_state(data, Inner, name="mind", version=3, migrations={1: MIGRATIONS[1]})


def test_a_migration_that_fails_says_where_and_why() -> None:
    data = encode_state(Inner(None, "x"), name="mind", version=2)
    with pytest.raises(CheckpointError, match="migration from version 2 failed: KeyError: 'name'"):
        decode_state(data, Inner, name="mind", version=3, migrations=MIGRATIONS)


def test_a_checkpoint_that_does_not_fit_the_type_is_refused() -> None:
    for wrong in (Inner(None, "x"), State(belief=np.ones(2), inner=Inner(None, ""), looks={})):
        data = encode_state(wrong, name="mind", version=1)
        other = State if isinstance(wrong, Inner) else Inner
        with pytest.raises(CheckpointError, match="does not fit"):
            decode_state(data, other, name="mind", version=1)


def test_an_extension_of_a_later_codec_is_refused() -> None:
    class Later(msgspec.Struct):
        weights: msgspec.msgpack.Ext
        label: str = ""

    data = encode_state(Later(msgspec.msgpack.Ext(9, b"")), name="mind", version=1)
    with pytest.raises(CheckpointError, match="extension type 9 is unknown"):
        decode_state(data, Inner, name="mind", version=1)


def test_what_is_no_value_can_not_stand_in_a_state() -> None:
    with pytest.raises(TypeError, match="object can't stand in a state"):
        encode_state(Inner(weights=object(), label=""), name="mind", version=1)  # type: ignore[arg-type]


def test_a_number_of_numpy_is_kept_as_a_number() -> None:
    data = encode_state(
        State(belief=np.ones(1), inner=Inner(None, ""), looks={1: np.float64(0.1)}), name="m", version=1
    )
    assert decode_state(data, State, name="m", version=1).looks == {1: 0.1}


def test_a_file_is_replaced_whole_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "blue" / "mind.ckpt"
    write_atomically(path, b"old")
    write_atomically(path, b"new" * 100_000)
    assert path.read_bytes() == b"new" * 100_000
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_mind_without_a_checkpoint_remembers_nothing(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "none.ckpt", Inner, name="mind", version=1) is None


def test_a_refused_checkpoint_is_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "mind.ckpt"
    path.write_bytes(encode_state(Inner(None, "x"), name="mind", version=1))
    with pytest.raises(CheckpointError):
        read_checkpoint(path, Inner, name="mind", version=2)
    assert not path.exists()
    assert (tmp_path / "mind.ckpt.refused").exists()
