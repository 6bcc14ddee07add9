"""What a query's words weigh: BM25's inverse document frequencies, and which words to look for.

Robertson & Zaragoza (2009), The Probabilistic Relevance Framework, equation 3.3, with
idf = ln(1 + (N - n + 1/2) / (n + 1/2)), k1 = 1.2, b = 0.75. The length of an episode is the number of its
distinct words.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from emily_postgres import Connection

LOOKED_FOR = 300
"""Episodes that the words looked for may stand in together; rarer words come first."""
MOST_WORDS = 64
K1, B = 1.2, 0.75


class Words(NamedTuple):
    """The words of a query.

    Attributes:
        lexemes, idf: Each with its weight.
        any_of: PostgreSQL's tsquery for the rarest of them; empty when there are none.
        mean_length: Of the episodes in the namespace.
    """

    lexemes: list[str]
    idf: list[float]
    any_of: str
    mean_length: float


NO_WORDS = Words([], [], "", 1.0)


async def weigh(connection: Connection, namespace: str, text: str) -> Words:
    """The words of a text, as the namespace weighs them."""
    cursor = await connection.execute(
        "SELECT a.lexeme, coalesce(w.episodes, 0), c.episodes, c.words"
        " FROM unnest(tsvector_to_array(to_tsvector('english', %(text)s))) AS a (lexeme)"
        " LEFT JOIN word w ON w.namespace = %(namespace)s AND w.lexeme = a.lexeme"
        " LEFT JOIN corpus c ON c.namespace = %(namespace)s",
        {"text": text, "namespace": namespace},
    )
    rows = sorted(await cursor.fetchall(), key=lambda row: (row[1], row[0]))[:MOST_WORDS]
    if not rows:
        return NO_WORDS
    episodes, words = max(1, rows[0][2] or 1), max(1, rows[0][3] or 1)
    looked_for: list[str] = []
    sum_of = 0
    for lexeme, count, _, _ in rows:
        if looked_for and sum_of + count > LOOKED_FOR:
            break
        sum_of += count
        looked_for.append(lexeme)
    return Words(
        [row[0] for row in rows],
        [math.log(1 + max(0.0, episodes - row[1] + 0.5) / (row[1] + 0.5)) for row in rows],
        " | ".join(map(_quoted, looked_for)),
        words / episodes,
    )


def _quoted(lexeme: str) -> str:
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
