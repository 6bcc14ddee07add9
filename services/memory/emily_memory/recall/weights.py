"""Weights that are asked for by name."""

from __future__ import annotations

from emily_contracts import Weights

NEAREST = Weights(dense=1.0, lexical=0.0, affect=0.0, recency=0.0, importance=0.0, use=0.0)
COMPOSITE = Weights(lexical=0.0)
HYBRID = Weights()
