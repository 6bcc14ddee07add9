"""Traffic: exactly one decision per accepted stimulus."""
