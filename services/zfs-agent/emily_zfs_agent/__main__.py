"""`python -m emily_zfs_agent`."""

from emily_runtime import run

from emily_zfs_agent.service import ZfsAgent

run(ZfsAgent)
