"""How a process stands back for those that must answer at once."""

from __future__ import annotations

import ctypes
import os
import platform

LONG_SLICE_NS = 20_000_000
"""Of the processor. Who wakes up with a shorter slice, as all have by default, gets it at once; a process
that is only nice finishes the slice that it is in."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_ITSELF = 0


class _Attributes(ctypes.Structure):
    """`struct sched_attr`, sched_setattr(2)."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def stand_back(niceness: int) -> None:
    """Make this process nice, and give way to whoever wakes up (since Linux 6.12; before only nice)."""
    nice = os.nice(niceness)
    call = _SCHED_SETATTR.get(platform.machine())
    if call is None or platform.system() != "Linux":
        return
    wanted = _Attributes(
        size=ctypes.sizeof(_Attributes), policy=os.SCHED_OTHER, nice=nice, runtime=LONG_SLICE_NS
    )
    ctypes.CDLL(None).syscall(call, _ITSELF, ctypes.byref(wanted), 0)
