"""What a service needs of PostgreSQL: an embedded server, a pool, migrations."""

from emily_postgres.embedded import accepts, embedded, url_of
from emily_postgres.errors import DatabaseUnavailable, MigrationError, PostgresError, ServerFailed
from emily_postgres.pool import Connection, Pool, Renewed, open_pool, reachable, reached

__all__ = [
    "Connection",
    "DatabaseUnavailable",
    "MigrationError",
    "Pool",
    "PostgresError",
    "Renewed",
    "ServerFailed",
    "accepts",
    "embedded",
    "open_pool",
    "reachable",
    "reached",
    "url_of",
]
