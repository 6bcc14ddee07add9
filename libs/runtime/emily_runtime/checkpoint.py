"""A mind's state as bytes, and safely on disk.

Layout: magic, a MessagePack header (name, state version, digest of the body), the MessagePack body. NumPy
arrays travel as an extension type (dtype, shape, bytes).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_origin

import msgspec

from emily_runtime.errors import CheckpointError, NoMigration
from emily_runtime.mind import Migration

_MAGIC = b"EMILY-CKPT-1\n"
_ARRAY = 1


class _Header(msgspec.Struct, frozen=True, array_like=True):
    name: str
    version: int
    digest: bytes


class _Array(msgspec.Struct, frozen=True, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    data: bytes


def encode_state(state: msgspec.Struct, *, name: str, version: int) -> bytes:
    """The checkpoint of a state; the order of its dictionaries is kept, for it may matter to a mind."""
    body = msgspec.msgpack.encode(state, enc_hook=_encode_array)
    header = _Header(name, version, hashlib.sha256(body).digest())
    packed = msgspec.msgpack.encode(header)
    return _MAGIC + len(packed).to_bytes(4) + packed + body


def decode_state[S: msgspec.Struct](
    data: bytes, type: type[S], *, name: str, version: int, migrations: Mapping[int, Migration] = {}
) -> S:
    """The state in a checkpoint; one of an earlier version is migrated step by step.

    Raises:
        NoMigration: It is of a version from which no migrations lead to the one that is needed.
        CheckpointError: It is torn, of another mind, does not fit the type, or a migration failed.
    """
    header, body = _opened(data)
    if header.name != name:
        raise CheckpointError(
            f"it holds {header.name} in version {header.version}; {name} in version {version} is needed"
        )
    if header.version != version:
        body = _migrated(header, body, version, migrations)
    try:
        return msgspec.msgpack.decode(body, type=type, dec_hook=_decode_array, ext_hook=_read_extension)
    except (msgspec.DecodeError, ValueError, TypeError) as failure:
        raise CheckpointError(f"its body does not fit: {failure}") from None


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file so that a reader sees the old or the new one, whole, also after the power went."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)


def read_checkpoint[S: msgspec.Struct](
    path: Path, type: type[S], *, name: str, version: int, migrations: Mapping[int, Migration] = {}
) -> S | None:
    """The state on disk, migrated when it is of an earlier version; none when there is no checkpoint.

    Raises:
        CheckpointError: There is one that can't be used; it is kept beside as `.refused`.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return decode_state(data, type, name=name, version=version, migrations=migrations)
    except CheckpointError:
        path.replace(path.with_name(path.name + ".refused"))
        raise


def _opened(data: bytes) -> tuple[_Header, bytes]:
    """Header and body of a checkpoint that is whole."""
    if not data.startswith(_MAGIC) or len(data) < len(_MAGIC) + 4:
        raise CheckpointError("not a checkpoint")
    start = len(_MAGIC) + 4
    end = start + int.from_bytes(data[len(_MAGIC) : start])
    try:
        header = msgspec.msgpack.decode(data[start:end], type=_Header)
    except (msgspec.DecodeError, ValueError) as failure:
        raise CheckpointError(f"its header can't be read: {failure}") from None
    body = data[end:]
    if hashlib.sha256(body).digest() != header.digest:
        raise CheckpointError("its digest does not match; it is torn or was changed")
    return header, body


def _migrated(header: _Header, body: bytes, version: int, migrations: Mapping[int, Migration]) -> bytes:
    """The body in the shape of a version."""
    steps = range(header.version, version)
    if not steps or any(step not in migrations for step in steps):
        raise NoMigration(
            f"it holds {header.name} in version {header.version}; {header.name} in version {version} "
            "is needed, and no migrations lead there"
        )
    try:
        state = msgspec.msgpack.decode(body, ext_hook=_read_extension)
        for step in steps:
            state = migrations[step](state)
        return msgspec.msgpack.encode(state, enc_hook=_encode_array)
    except Exception as failure:
        raise CheckpointError(
            f"its migration from version {header.version} failed: {type(failure).__name__}: {failure}"
        ) from failure


def _encode_array(value: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - only minds whose state holds arrays pay for it

    if isinstance(value, np.ndarray):
        array = _Array(value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes())
        return msgspec.msgpack.Ext(_ARRAY, msgspec.msgpack.encode(array))
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} can't stand in a state; use what MessagePack or NumPy holds")


def _read_extension(code: int, data: memoryview) -> Any:
    import numpy as np  # noqa: PLC0415

    if code != _ARRAY:
        raise ValueError(f"extension type {code} is unknown")
    array = msgspec.msgpack.decode(data, type=_Array)
    return np.frombuffer(array.data, dtype=np.dtype(array.dtype)).reshape(array.shape).copy()


def _decode_array(type: type, value: Any) -> Any:
    if isinstance(value, get_origin(type) or type):
        return value
    raise ValueError(f"{value.__class__.__name__} found where {type} belongs")
