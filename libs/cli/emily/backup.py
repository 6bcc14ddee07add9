"""`emily backup`: how backups stand, one more now, a drill, and getting one back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from emily_contracts.backups import BackupStatus, BackupStatusRequest, SnapshotsRequest
from emily_contracts.topics import BACKUP_SNAPSHOTS, BACKUPS

from emily import backup_view
from emily.backup_ask import JOB, ask, done, made, restored
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, progress_bar, reports_errors, tell
from emily.errors import CommandError, PartialAnswer
from emily.launch import running
from emily.system import Layout

app = typer.Typer(
    help="Look at backups, make one, prove that it can be restored, get it back.",
    no_args_is_help=True,
    epilog="Example: [bold]emily backup status[/]",
)

Job = Annotated[str, typer.Option(metavar="NAME", help="Which job, as the status lists it.")]


PlanFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Of the jobs, when there is a plan of your own.")
]


@app.command()
@reports_errors
def init(
    plan_file: PlanFile = None, state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False
) -> None:
    """Make the repository of a plan, once; that of an embedded Emily is made with her first backup.

    Example: emily backup init --plan-file /etc/emily/backup.toml
    """
    found = made(state_dir, plan_file=plan_file)
    tell(found, *backup_view.made(found), as_json=as_json)


@app.command()
@reports_errors
def status(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Show how old each backup is, whether it was proved, and what went wrong. Exit 6 unless all are good.

    Example: emily backup status --json
    """
    found: BackupStatus = ask(state_dir, BACKUPS, BackupStatusRequest())
    tell(found, *backup_view.status(found), as_json=as_json)
    bad = [job.job for job in found.jobs if job.state != "good"]
    if found.problem or bad:
        raise PartialAnswer(
            found.problem or f"not good: {', '.join(bad)}", "see above; run one now with: emily backup run"
        )


@app.command()
@reports_errors
def run(job: Job = JOB, state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Back up now, and wait until it is complete. Ctrl-C only stops watching.

    Example: emily backup run
    """
    with progress_bar(quiet=as_json) as progress:
        found = done(state_dir, job, "backup", progress)
    attempt = found.attempt
    if attempt is None or attempt.reason:
        raise CommandError(f"not complete: {attempt.reason if attempt else 'it did not begin'}")
    tell(attempt, backup_view.backed_up(attempt), as_json=as_json)


@app.command()
@reports_errors
def drill(job: Job = JOB, state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Back up, restore that into nowhere, and compare: files byte by byte, the database row by row.

    Example: emily backup drill
    """
    with progress_bar(quiet=as_json) as progress:
        proved = done(state_dir, job, "drill", progress)
    attempt, found = proved.attempt, proved.drill
    if attempt is not None and attempt.reason:
        raise CommandError(f"not complete, so there is nothing to drill: {attempt.reason}")
    if found is None or found.reason:
        raise CommandError(f"the backup is not proved: {found.reason if found else 'it did not begin'}")
    tell(found, backup_view.drilled(found), as_json=as_json)


@app.command()
@reports_errors
def check(job: Job = JOB, state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Read everything in the repository for damage now; each run reads a part of it anyway.

    Example: emily backup check
    """
    with progress_bar(quiet=as_json) as progress:
        found = done(state_dir, job, "check", progress).read
    if found.reason:
        raise CommandError(found.reason, "nothing is forgotten until it is mended; restic repair shows how")
    tell(found, backup_view.checked(found), as_json=as_json)


@app.command()
@reports_errors
def snapshots(job: Job = JOB, state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """List what the repository holds, newest first; what is not complete does not count.

    Example: emily backup snapshots
    """
    found = ask(state_dir, BACKUP_SNAPSHOTS, SnapshotsRequest(job=job))
    tell(found, backup_view.snapshots(found.snapshots), as_json=as_json)


@app.command()
@reports_errors
def restore(
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder that is empty or does not exist.")
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Let it take the place of the state; Emily must be down.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    snapshot: Annotated[
        str, typer.Option(metavar="ID", help="As the list shows it; the newest complete one by default.")
    ] = "",
    job: Job = JOB,
    plan_file: PlanFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Get a backup back; needs no running Emily.

    With --to, files and database dump are written there. With --in-place --yes they become the state: the
    database is made anew and compared before, and what was there is set aside, not removed.

    Example: emily backup restore --to /tmp/restored
    """
    if (to is None) == (not in_place):
        raise CommandError("--to and --in-place: give one of them", "such as --to /tmp/restored")
    if in_place:
        if plan_file is not None or job != JOB:
            raise CommandError(
                f"--in-place: only the job {JOB!r} of an embedded Emily", "restore others with --to"
            )
        if running(Layout(state_dir=state_dir.absolute())) is not None:
            raise CommandError("--in-place: Emily is up", "stop her with: emily down")
        if not yes:
            raise CommandError(
                f"--in-place: would take the place of {state_dir}",
                "say so with --yes; what is there is set aside",
            )
    with progress_bar(quiet=as_json) as progress:
        found = restored(state_dir, job=job, snapshot=snapshot, to=to, plan_file=plan_file, progress=progress)
    tell(found, *backup_view.restored(found), as_json=as_json)
