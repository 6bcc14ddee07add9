from __future__ import annotations

import io
import zipfile
import zlib

import numpy as np
import pytest
from emily_instinct import archive
from emily_instinct.errors import InstinctError

ARRAYS = {"items": np.arange(12, dtype=np.uint64).reshape(3, 4), "scale": np.array([0.5, -1.0])}


def test_header_and_arrays_come_back_as_they_were() -> None:
    header, arrays = archive.unpack(archive.pack({"kind": "test", "seed": 3}, ARRAYS))
    assert header == {"kind": "test", "seed": 3}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_equal_contents_give_equal_bytes_in_any_order() -> None:
    data = archive.pack({"a": 1, "b": 2}, ARRAYS)
    assert archive.pack({"b": 2, "a": 1}, dict(reversed(ARRAYS.items()))) == data
    assert zlib.crc32(data) == 2622597541, "the bytes have changed: raise the format of what is stored"


def test_digest_tells_contents_apart() -> None:
    assert archive.digest(archive.pack({"a": 1}, ARRAYS)) != archive.digest(archive.pack({"a": 2}, ARRAYS))


def test_numpy_reads_the_arrays() -> None:
    with np.load(io.BytesIO(archive.pack({}, ARRAYS)), allow_pickle=False) as loaded:
        np.testing.assert_array_equal(loaded["scale"], ARRAYS["scale"])


@pytest.mark.parametrize("length", [0, 10, 500])
def test_torn_file_is_refused(length: int) -> None:
    with pytest.raises(InstinctError, match="train it again"):
        archive.unpack(archive.pack({}, ARRAYS)[:length])


def test_changed_file_is_refused() -> None:
    data = bytearray(archive.pack({}, ARRAYS))
    data[data.index(np.float64(0.5).tobytes())] ^= 1
    with pytest.raises(InstinctError, match="train it again"):
        archive.unpack(bytes(data))


@pytest.mark.parametrize("header", ["3", "not JSON"])
def test_file_without_a_header_of_fields_is_refused(header: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(archive.HEADER, header)
    with pytest.raises(InstinctError, match="train it again"):
        archive.unpack(buffer.getvalue())


def test_pickled_object_is_refused() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, evil=np.array([{"a": 1}], dtype=object))
    with zipfile.ZipFile(buffer, "a") as file:
        file.writestr(archive.HEADER, "{}")
    with pytest.raises(InstinctError, match="pickle"):
        archive.unpack(buffer.getvalue())
