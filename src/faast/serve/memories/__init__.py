"""Memories of language models, served by name over one backbone."""
