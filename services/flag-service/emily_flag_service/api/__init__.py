"""The HTTP face: OFREP for everyone, changes for those who have a token."""
