"""Pure numerics of tiers 2 and 3: workspace, active inference, GFlowNet."""
