"""What can be set about memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from emily_runtime import DatabaseSettings
from emily_runtime.secrets.reference import REFERENCES, SecretReference
from emily_runtime.secrets.setting import given_once
from msgspec import Meta

from emily_memory.embedding import Kind


class MemorySettings(DatabaseSettings, frozen=True, kw_only=True):
    """Settings of memory, EMILY_MEMORY_* in the environment."""

    connections: Annotated[int, Meta(ge=1, le=64, description="To write with, and as many to read with")] = 6
    ef_search: Annotated[
        int, Meta(ge=10, le=1000, description="Width of a search in the index: recall against time")
    ] = 128
    embedder: Annotated[
        Kind, Meta(description="Of a new database; later, emily memory reembed changes it")
    ] = "minilm"
    embedder_threads: Annotated[int, Meta(ge=1, le=64, description="Cores of a model in the process")] = 1
    embedder_url: Annotated[
        Annotated[str, Meta(pattern="^https?://")] | None,
        Meta(description="Base of an OpenAI-compatible API"),
    ] = None
    embedder_model: Annotated[str, Meta(description="Its model")] = ""
    embedder_dimension: Annotated[int, Meta(ge=1, le=4000, description="Of its vectors")] = 384
    embedder_key_secret: Annotated[
        SecretReference | None, Meta(description=f"Where the key of the API is: {REFERENCES}")
    ] = None
    embedder_key_file: Annotated[Path | None, Meta(description="File that holds it")] = None
    queue: Annotated[int, Meta(ge=1, description="Episodes that wait to be written; more are refused")] = 4096
    probe_share: Annotated[
        float, Meta(ge=0, le=1, description="Of recalls that are run again exactly, to measure recall")
    ] = 0.01
    purge_after_days: Annotated[
        float, Meta(ge=0, description="From forgetting to purging; until then a memory can be restored")
    ] = 30.0
    budget: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Memories that a namespace holds; the least worth beyond it are forgotten"),
    ] = None
    consolidate_every_h: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Hours between consolidations; without it, only emily memory consolidate does it"),
    ] = None

    allowed_hosts: Annotated[
        tuple[str, ...], Meta(description="Names in the Host header that are served, against DNS rebinding")
    ] = ("localhost", "127.0.0.1", "::1")

    def __post_init__(self) -> None:
        super().__post_init__()
        given_once(self, "embedder_key")
        if self.embedder == "http" and (self.embedder_url is None or not self.embedder_model):
            raise ValueError("embedder: http needs embedder_url and embedder_model")
