"""A namespace as a file, out and in again."""
