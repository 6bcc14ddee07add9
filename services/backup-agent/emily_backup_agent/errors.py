"""What can go wrong with a backup, in words that say what to do."""


class BackupError(Exception):
    """Something about backups; nothing good in a repository was changed."""


class PlanInvalid(BackupError):
    """The plan of jobs can't be used; lists every problem."""


class ResticUnusable(BackupError):
    """restic is not here, or too old."""


class ResticFailed(BackupError):
    """restic ended with an error."""


class RepositoryMissing(ResticFailed):
    """There is no repository where it should be."""


class RepositoryLocked(ResticFailed):
    """Somebody else works on the repository."""


class WrongPassword(ResticFailed):
    """The password does not open the repository."""


class SourceMissing(BackupError):
    """What should be backed up is not there."""


class SnapshotFailed(BackupError):
    """A dataset could not be seen as it was in one instant."""


class Incomplete(BackupError):
    """Something could not be read: the snapshot lacks it, and does not count."""


class Damaged(BackupError):
    """The repository does not hold what it should."""


class DrillFailed(BackupError):
    """What was restored is not what was backed up."""


class Busy(BackupError):
    """Another run holds the lock."""


class Stopped(BackupError):
    """The agent was told to stop."""
