"""Protocols that measure methods on the same frozen features."""
