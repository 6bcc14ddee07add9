"""Tier 2: competition, ignition, broadcast."""
