"""`python -m emily_backup_agent.asking status`, or `backup`, `drill` or `check` and a job: asks the agent.

For where there is no `emily` command, as in the agent's own container; it takes the settings of the agent.
Prints JSON. Exit codes: 0 asked for, or all is good; 6 not all is good; 1 nobody answers, or it is refused;
2 wrong arguments.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import get_args

import anyio
import msgspec
from emily_bus import AskError, Bus, BusUnavailable
from emily_contracts.backups import BackupRequest, BackupStatus, BackupStatusRequest, What
from emily_contracts.topics import BACK_UP, BACKUPS
from emily_runtime import SettingsError, load_settings
from emily_runtime.logs import configure_logs
from emily_runtime.settings import bus_settings

from emily_backup_agent.service import BackupAgent
from emily_backup_agent.settings import BackupAgentSettings

TIMEOUT_S = 60.0
NOT_GOOD = 6


def main(arguments: Sequence[str]) -> int:
    """Ask as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m emily_backup_agent.asking")
    parser.add_argument("what", choices=("status", *get_args(What)))
    parser.add_argument("job", nargs="?")
    chosen = parser.parse_args(arguments)
    if (chosen.job is None) != (chosen.what == "status"):
        parser.error("name a job to backup, drill or check, and none for the status")
    configure_logs(service=f"{BackupAgent.name}-asking", namespace="emily", level="warning", format="auto")
    try:
        settings = load_settings(BackupAgentSettings, service=BackupAgent.name, environ=os.environ)
        answer = anyio.run(_asked, settings, chosen.what, chosen.job)
    except SettingsError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except (AskError, BusUnavailable) as failure:
        print(failure, file=sys.stderr)
        return 1
    print(msgspec.json.encode(answer).decode())
    good = not isinstance(answer, BackupStatus) or all(job.state == "good" for job in answer.jobs)
    return 0 if good else NOT_GOOD


async def _asked(settings: BackupAgentSettings, what: str, job: str | None) -> msgspec.Struct:
    async with Bus.open(bus_settings(settings), namespace=settings.namespace, name="asking") as bus:
        if job is None:
            return await bus.ask(BACKUPS, BackupStatusRequest(), timeout=TIMEOUT_S)
        request = msgspec.convert({"job": job, "what": what}, BackupRequest)
        return await bus.ask(BACK_UP, request, timeout=TIMEOUT_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
