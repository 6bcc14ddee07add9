"""`python -m emily_backup_agent`."""

from emily_runtime import run

from emily_backup_agent.service import BackupAgent

run(BackupAgent)
