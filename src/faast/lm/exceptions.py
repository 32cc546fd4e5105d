"""Errors of language-model memories."""


class UnsupportedModelError(ValueError):
    """A model whose parts cannot be found or cannot carry what was asked."""
