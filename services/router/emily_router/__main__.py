"""`python -m emily_router`."""

from emily_runtime import run

from emily_router.service import Router

run(Router)
