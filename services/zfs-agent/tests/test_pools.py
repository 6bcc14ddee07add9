"""How pools are, as OpenZFS 2.3 and an old ZFS tell it."""

from __future__ import annotations

import pytest
from emily_zfs_agent.errors import Unreadable
from emily_zfs_agent.pools import listed, missing, with_status

SICK = """  pool: tank
 state: DEGRADED
status: One or more devices has experienced an error resulting in data
\tcorruption.  Applications may be affected.
action: Restore the file in question if possible.  Otherwise restore the
\tentire pool from backup.
  scan: scrub repaired 4096B in 00:00:01 with 2 errors on Sun Nov  2 00:24:03 2025
config:

\tNAME        STATE     READ WRITE CKSUM
\ttank        DEGRADED     0     0     0
\t  mirror-0  DEGRADED     0     0     8
\t    sda     ONLINE       0     0    10
\t    sdb     FAULTED      3  1200    10  too many errors
\tspecial
\t  mirror-1  ONLINE       0     0     0
\t    nvme0   ONLINE       0     0     0
\t    nvme1   ONLINE       1     0     0
\tspares
\t  sdc       AVAIL

errors: 5 data errors, use '-v' for a list
"""
OLD = """  pool: tank
 state: ONLINE
 scrub: scrub completed after 0h0m with 0 errors on Fri Nov 27 02:32:39 2026
config:

\tNAME         STATE     READ WRITE CKSUM
\ttank         ONLINE       0     0     0
\t  /tmp/zt/a  ONLINE       0     0  1.5K

errors: No known data errors
"""


def test_sizes_are_read_exact_or_rounded() -> None:
    assert listed("tank\t4000787030016\t1000196757504\tONLINE\n")["tank"].used == 0.25
    rounded = listed("tank\t123M\t1.04M\tONLINE\nbad\t-\t-\tFAULTED\n")
    assert rounded["tank"].size == 123 * 1024**2
    assert (rounded["bad"].health, rounded["bad"].used) == ("FAULTED", 0)
    with pytest.raises(Unreadable, match="tank"):
        listed("tank\tlots\t0\tONLINE\n")
    with pytest.raises(Unreadable, match="tank"):
        listed("tank\n")


def test_errors_are_summed_over_devices_and_lost_data_is_told() -> None:
    state = with_status(missing("tank"), SICK)
    assert state.errors == {"read": 4, "write": 1200, "checksum": 20, "data": 5}
    assert state.scrubbed is not None
    assert state.scrubbed.isoformat() == "2025-11-02T00:24:03+00:00"


def test_an_old_zfs_tells_the_same() -> None:
    state = with_status(missing("tank"), OLD)
    assert state.errors == {"read": 0, "write": 0, "checksum": 1536, "data": 0}
    assert state.scrubbed is not None
    assert not state.busy


@pytest.mark.parametrize(
    ("scan", "busy"),
    [
        ("scrub in progress since Fri Nov 27 02:30:00 2026", True),
        ("resilver in progress since Fri Nov 27 02:30:00 2026", True),
        ("resilvered 1.2G in 00:10:00 with 0 errors on Fri Nov 27 02:30:00 2026", False),
        ("scrub canceled on Fri Nov 27 02:30:00 2026", False),
        ("none requested", False),
    ],
)
def test_what_is_no_whole_scrub_is_none(scan: str, busy: bool) -> None:
    state = with_status(missing("tank"), f"  scan: {scan}\nconfig:\n\nerrors: No known data errors\n")
    assert (state.scrubbed, state.busy) == (None, busy)
