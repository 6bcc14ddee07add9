"""Tier 1: percept, alpha gate and allostatic body."""
