"""Typed, bounded publish, subscribe, serve and ask over Zenoh."""
