"""Who stands back is nice, and gives the processor up to whoever wakes up."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import partial

import pytest
from emily.scheduling import LONG_SLICE_NS, stand_back

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
SHOW = """
import ctypes, os, struct, sys
attributes = ctypes.create_string_buffer(48)
assert ctypes.CDLL(None).syscall(int(sys.argv[1]), 0, attributes, 48, 0) == 0
_, policy, _, nice, _, slice_ns, _, _ = struct.unpack("IIQiIQQQ", attributes.raw)
print(policy, nice, slice_ns)
"""


def _attributes_of(niceness: int) -> tuple[int, int, int]:
    shown = subprocess.run(
        [sys.executable, "-c", SHOW, str(SCHED_GETATTR[platform.machine()])],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        preexec_fn=partial(stand_back, niceness),
    )
    policy, nice, slice_ns = map(int, shown.stdout.split())
    return policy, nice, slice_ns


@pytest.mark.skipif(platform.system() != "Linux", reason="a call of Linux")
@pytest.mark.skipif(platform.machine() not in SCHED_GETATTR, reason="its number is not known here")
def test_a_process_that_stands_back_is_nice_and_gives_way_to_who_wakes_up() -> None:
    policy, nice, slice_ns = _attributes_of(5)
    assert (policy, nice) == (os.SCHED_OTHER, os.nice(0) + 5)
    release = tuple(int(part) for part in platform.release().split(".")[:2])
    if release >= (6, 12):
        assert slice_ns == LONG_SLICE_NS
