"""Trials in PostgreSQL: sums are added to, and only the newest versions of a flag are kept."""

from __future__ import annotations

from collections.abc import Mapping

from emily_postgres import Pool
from psycopg import sql

from emily_flag_service.experiment.trial import COUNTED, Sums, Trial

KEPT_VERSIONS = 8
_KEY = ("flag", "version", "subject", "variant")
_ADD = sql.SQL(
    "INSERT INTO trial ({columns}) VALUES ({values})"
    " ON CONFLICT (flag, version, subject, variant) DO UPDATE SET {sums}"
).format(
    columns=sql.SQL(", ").join(map(sql.Identifier, (*_KEY, *COUNTED))),
    values=sql.SQL(", ").join([sql.Placeholder()] * (len(_KEY) + len(COUNTED))),
    sums=sql.SQL(", ").join(
        sql.SQL("{0} = trial.{0} + excluded.{0}").format(sql.Identifier(name)) for name in COUNTED
    ),
)
_READ = sql.SQL("SELECT subject, variant, {sums} FROM trial WHERE flag = %s AND version = %s").format(
    sums=sql.SQL(", ").join(map(sql.Identifier, COUNTED))
)


class Trials:
    """Adds to sums and reads them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, sums: Mapping[Trial, Sums]) -> None:
        """Add to what is known of each trial, in one transaction."""
        if not sums:
            return
        rows = [
            [*(getattr(trial, name) for name in _KEY), *(getattr(counted, name) for name in COUNTED)]
            for trial, counted in sums.items()
        ]
        newest = {
            flag: max(trial.version for trial in sums if trial.flag == flag)
            for flag in {trial.flag for trial in sums}
        }
        async with (
            self._pool.connection() as connection,
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            await cursor.executemany(_ADD, rows)
            await cursor.executemany(
                "DELETE FROM trial WHERE flag = %s AND version <= %s",
                [[flag, version - KEPT_VERSIONS] for flag, version in newest.items()],
            )

    async def current(self) -> list[Trial]:
        """Those of the versions that flags have now."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(
                "SELECT trial.flag, trial.version, variant, subject FROM trial"
                " JOIN flag ON flag.key = trial.flag AND flag.version = trial.version"
            )
            return [
                Trial(flag=flag, version=version, variant=variant, subject=subject)
                async for flag, version, variant, subject in rows
            ]

    async def of(self, flag: str, version: int) -> dict[Trial, Sums]:
        """All of one version of a flag."""
        async with self._pool.connection() as connection:
            rows = await connection.execute(_READ, [flag, version])
            return {
                Trial(flag=flag, version=version, variant=variant, subject=subject): Sums(
                    **dict(zip(COUNTED, sums, strict=True))
                )
                async for subject, variant, *sums in rows
            }
