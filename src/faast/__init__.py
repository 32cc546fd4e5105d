"""Closed-form fast weights for frozen models."""

__version__ = "0.1.0"
