"""Replaces one colour by another while traffic flows, judged by statistics, and goes back by itself."""
