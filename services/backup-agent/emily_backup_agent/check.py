"""A check: everything in the repository is read, so that damage is found before somebody needs it."""

from __future__ import annotations

from emily_contracts.backups import Read
from msgspec.structs import replace

from emily_backup_agent.errors import BackupError, Damaged
from emily_backup_agent.record import with_part, without_proof
from emily_backup_agent.work import Room, Tell


def check(room: Room, job: str, tell: Tell) -> Read:
    """Read all of it, and note what came of that.

    Args:
        room: What it works with.
        job: Whose record notes it.
        tell: Told how far it is.

    Raises:
        Damaged: The repository does not hold what it should.
        BackupError: It could not be read.
    """
    book, parts = room.book, room.plan.jobs[job].parts
    tell("reading everything", 0, 0)
    try:
        room.repository.open(make=False)
        room.repository.check(1, 1)
    except BackupError as failure:
        damaged = isinstance(failure, Damaged)
        failed = without_proof(book.of(job).read, str(failure), damaged=damaged, at=room.clock())
        book.keep(job, replace(book.of(job), read=failed))
        raise
    read = with_part(book.of(job).read, parts, of=parts, at=room.clock())
    book.keep(job, replace(book.of(job), read=read))
    return read
