"""Starts memory."""

from emily_runtime import run

from emily_memory.service import MemoryService

run(MemoryService)
