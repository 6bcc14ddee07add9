"""Texts to vectors: by a model in the process, by a server, or, labelled as such, without meaning."""

from emily_memory.embedding.choose import Kind, choose
from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.endpoint import Endpoint
from emily_memory.embedding.errors import EmbedderDown, EmbedderUnusable
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.embedding.space import Space

__all__ = [
    "Embedder",
    "EmbedderDown",
    "EmbedderUnusable",
    "Endpoint",
    "HashingEmbedder",
    "Kind",
    "Space",
    "choose",
]
