"""Texts to vectors: by a model in the process, by a server, or, labelled as such, without meaning."""

from emily_memory.embedding.embedder import Embedder
from emily_memory.embedding.errors import EmbedderDown, EmbedderUnusable
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.embedding.minilm import MiniLM
from emily_memory.embedding.space import Space

__all__ = ["Embedder", "EmbedderDown", "EmbedderUnusable", "HashingEmbedder", "MiniLM", "Space"]
