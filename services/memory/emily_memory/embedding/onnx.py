"""ONNX Runtime, which reports to its maker unless it is told not to before it is imported."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime  # type: ignore[import-untyped]  # ships no types
from onnxruntime.capi.onnxruntime_pybind11_state import (  # type: ignore[import-untyped]
    Fail,
    RuntimeException,
)

__all__ = ["Fail", "RuntimeException", "onnxruntime"]
