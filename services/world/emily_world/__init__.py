"""Sensors and actuators: digits to look at, the host to feel."""
