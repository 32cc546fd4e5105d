"""Errors of language-model memories."""


class UnsupportedModelError(ValueError):
    """The model's parts cannot be found, or it cannot carry the memory that was asked for."""


class ForgettingError(ValueError):
    """The memory cannot remove what it has learned, or cannot be merged, exactly."""


class FoldingError(ValueError):
    """The memory cannot be merged into the output embeddings of a plain model."""
