"""What the inference service can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from emily_runtime import ServiceSettings
from msgspec import Meta


class InferenceSettings(ServiceSettings, frozen=True, kw_only=True):
    """Read from `EMILY_INFERENCE_*`."""

    model: Annotated[Path, Meta(description="Trained digits model, from python -m emily_inference.train")]
    seed: Annotated[int, Meta(ge=0, description="Of every draw")] = 0
    hypotheses: Annotated[bool, Meta(description="Whether structural hypotheses are sampled")] = True
    subjects: Annotated[int, Meta(ge=1, description="Most subjects whose episode is remembered")] = 256
    answers: Annotated[int, Meta(ge=1, description="Newest answers kept for stimuli delivered twice")] = 512
    experiences: Annotated[
        int, Meta(ge=1, le=4096, description="Newest experiences held until memory has them")
    ] = 2048
    recall: Annotated[
        bool, Meta(description="Whether memory is asked what similar moments turned out to be")
    ] = True
    recall_timeout_s: Annotated[
        float,
        Meta(gt=0, le=10, description="How long its answer is waited for; then she goes by what she knows"),
    ] = 0.05
