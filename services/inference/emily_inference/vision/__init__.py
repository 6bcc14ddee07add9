"""Seeing one place at a time: what the mind believes about a picture, where it looks and what it reports."""
