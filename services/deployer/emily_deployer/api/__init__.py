"""The HTTP face of the deployer; whoever asks needs a token."""
