"""Tier 3: beliefs, hypotheses, expected free energy, policy."""
