"""Pure numerics of tier 1: hyperdimensional computing, alpha gating, allostasis."""
