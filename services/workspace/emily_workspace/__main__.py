"""`python -m emily_workspace`."""

from emily_runtime import run

from emily_workspace.service import Workspace

run(Workspace)
