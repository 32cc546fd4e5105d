"""Adapting language models to texts and tasks."""
