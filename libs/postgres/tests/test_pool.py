from __future__ import annotations

import psycopg
import pytest
from emily_postgres import DatabaseUnavailable, open_pool
from psycopg.conninfo import make_conninfo

pytestmark = pytest.mark.anyio


async def test_connections_are_of_the_schema_and_plan_for_the_values_at_hand(url: str) -> None:
    async with open_pool(url, schema="memory", name="test") as pool, pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT current_setting('search_path'), current_setting('plan_cache_mode'),"
            " current_setting('application_name'), current_setting('TimeZone')"
        )
        assert await cursor.fetchone() == ("memory,public", "force_custom_plan", "test", "UTC")


async def test_who_speaks_a_version_sees_its_views_and_is_seen_with_it(url: str) -> None:
    opened = open_pool(url, schema="memory", version=4, name="blue writer")
    async with opened as pool, pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT current_setting('search_path'), current_setting('application_name')"
        )
        assert await cursor.fetchone() == ("memory_v4,public", "memory_v4 blue writer")


async def test_new_connection_is_opened_with_the_url_as_it_is_now(url: str) -> None:
    told = [url]

    async def renewed() -> str | None:
        return told[-1]

    async with open_pool(url, schema="memory", name="test", size=1, renewed=renewed) as pool:
        async with pool.connection() as connection:
            await connection.execute("CREATE ROLE rotated LOGIN")
            told.append(make_conninfo(url, user="rotated"))
            await connection.close()
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT current_user::text")
            assert await cursor.fetchone() == ("rotated",)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("DROP ROLE rotated")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hush@127.0.0.1:1/x",  # pragma: allowlist secret
        "nonsense=1 password=hush",
    ],
)
async def test_a_database_that_is_away_is_named_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        async with open_pool(url, schema="memory", name="test", timeout_s=1):
            pass
    assert "hush" not in str(caught.value)
