"""Protocols that measure what was learned, as the papers define them."""
