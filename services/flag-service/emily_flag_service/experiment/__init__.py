"""What became of the subjects of each variant, and whether that differs."""
