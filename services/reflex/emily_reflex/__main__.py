"""`python -m emily_reflex`."""

from emily_runtime import run

from emily_reflex.service import Reflex

run(Reflex)
