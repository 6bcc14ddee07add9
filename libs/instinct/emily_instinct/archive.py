"""Trained models as one file: NumPy's npz with a JSON header, and no pickle.

Equal contents give equal bytes on every machine, so that the digest names the model; hence nothing is
compressed, which would depend on the version of zlib.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emily_instinct.errors import InstinctError

HEADER = "header.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_SUFFIX = ".npy"


def pack(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The archive of a header and named arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(HEADER, _EPOCH), json.dumps(dict(header), sort_keys=True))
        for name in sorted(arrays):
            part = io.BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(name + _SUFFIX, _EPOCH), part.getvalue())
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The header and the arrays of an archive.

    Raises:
        InstinctError: It is not an archive, is torn, or holds anything but a header and plain arrays.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            header = dict(json.loads(archive.read(HEADER)))
            names = [name for name in archive.namelist() if name != HEADER]
            arrays = {name.removesuffix(_SUFFIX): _array(archive.read(name)) for name in names}
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError) as failure:
        raise InstinctError(f"model file: can't be read ({failure}); train it again") from None
    return header, arrays


def digest(data: bytes) -> str:
    """SHA-256 of an archive, its first 16 hex digits."""
    return hashlib.sha256(data).hexdigest()[:16]


def _array(data: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return array
