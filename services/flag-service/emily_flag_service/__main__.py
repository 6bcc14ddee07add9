"""`python -m emily_flag_service`."""

from emily_runtime import run

from emily_flag_service.service import FlagService

run(FlagService)
