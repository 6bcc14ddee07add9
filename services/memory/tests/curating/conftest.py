"""A namespace to curate."""

from __future__ import annotations

import pytest
from emily_memory.database import Database
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.testing import Home


@pytest.fixture
def home(memory: Database, embedder: HashingEmbedder) -> Home:
    """An empty one in a database of the test's own."""
    return Home(memory, embedder)
