"""`python -m emily_inference`."""

from emily_runtime import run

from emily_inference.service import Inference

run(Inference)
