"""`python -m emily_world`."""

from emily_runtime import run

from emily_world.service import World

run(World)
