"""Helpers without any of the method: arrays, validation, imports, progress, threads."""
