"""Encrypted backups with restic, and drills that restore them and compare."""
