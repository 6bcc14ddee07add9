"""What can go wrong with a database, in words that say what to do."""


class PostgresError(Exception):
    """Something about PostgreSQL."""


class ServerFailed(PostgresError):
    """The embedded server does not start or stop."""


class DatabaseUnavailable(PostgresError):
    """No connection within the deadline."""


class MigrationError(PostgresError):
    """A migration is refused or failed; nothing of it is left behind."""


class DumpFailed(PostgresError):
    """A database can't be dumped, or not be made from a dump."""
