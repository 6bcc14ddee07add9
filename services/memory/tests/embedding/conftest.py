from __future__ import annotations

import pytest
from emily_memory.embedding import MiniLM


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    return MiniLM()
