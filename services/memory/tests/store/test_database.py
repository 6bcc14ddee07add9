from __future__ import annotations

from collections.abc import Callable

import pytest
from emily_contracts import Episode
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.store import spaces
from emily_memory.store.batch import Batch, keep
from emily_memory.store.database import SCHEMA, Database, migrations, opened
from emily_memory.store.record import STAGING
from emily_memory.store.word_counts import count_words, recount_words
from emily_memory.testing import Home
from emily_postgres import Connection, open_pool
from emily_postgres.migrating import Database as Schema
from emily_postgres.migration import spoken, views_of
from emily_postgres.testing import database
from pgvector.psycopg import register_vector_async
from psycopg.errors import InsufficientPrivilege, UndefinedTable

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
VIEWS = views_of(SCHEMA, spoken(migrations()))


async def test_a_database_of_the_version_before_the_views_is_grown_and_keeps_what_it_holds(
    server_url: str, embedder: HashingEmbedder, episode: Make
) -> None:
    async def old(connection: Connection) -> None:
        await register_vector_async(connection)
        await connection.execute(STAGING)

    with database(server_url) as url:
        Schema(url, SCHEMA).migrate(migrations()[:3])
        async with open_pool(url, schema=SCHEMA, name="old", configure=old) as pool:
            async with pool.connection() as connection:
                await spaces.register(connection, embedder.space, state="active")
                batch = Batch(["home"], [episode(1)], [{}])
                await keep(connection, batch, embedder.space, embedder.embed([episode(1).content]))
            async with opened(url) as grown, pool.connection() as connection:
                home = Home(grown, embedder)
                await home.remember(episode(2))
                assert await home.rows("SELECT id FROM episode ORDER BY id") == [
                    (episode(1).id,),
                    (episode(2).id,),
                ]
                assert set(await home.vectors()) == {episode(1).id, episode(2).id}
                cursor = await connection.execute("SELECT count(*) FROM episode")
                assert await cursor.fetchone() == (2,), "who speaks the tables themselves goes on"


async def test_every_table_but_those_of_vectors_has_a_view_that_belongs_to_whoever_asks(home: Home) -> None:
    views = await home.rows(
        "SELECT relname, reloptions FROM pg_class WHERE relnamespace = %s::regnamespace ORDER BY 1", VIEWS
    )
    tables = await home.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename <> 'migration'"
        " AND tablename !~ '^(hot|vector)_' ORDER BY 1",
        SCHEMA,
    )
    assert [name for name, _ in views] == [name for (name,) in tables]
    assert {str(options) for _, options in views} == {"['security_invoker=true']"}


async def test_the_tables_are_out_of_sight_and_a_reader_writes_nothing(memory: Database, home: Home) -> None:
    with pytest.raises(UndefinedTable):
        await home.rows("SELECT FROM migration")
    for statement in (
        "DELETE FROM episode",
        "INSERT INTO word VALUES ('home', 'x', 1)",
        "SELECT FROM unembedded",
    ):
        with pytest.raises(InsufficientPrivilege):
            async with memory.reading("home") as connection:
                await connection.execute(statement.encode())


async def test_words_are_counted_anew(memory: Database, home: Home, episode: Make) -> None:
    await home.remember(episode(1, "the kettle whistles"), episode(2, "the key"))
    async with memory.writer.connection() as connection:
        await connection.execute("UPDATE episode SET recorded_at = recorded_at - interval '1 minute'")
        await count_words(connection)
        words = await home.rows("SELECT lexeme, episodes FROM word ORDER BY 1")
        assert words == [("kettl", 1), ("key", 1), ("whistl", 1)]
        await recount_words(connection)
    assert await home.rows("SELECT lexeme, episodes FROM word ORDER BY 1") == words
    assert await home.rows("SELECT episodes, words FROM corpus") == [(2, 3)]
