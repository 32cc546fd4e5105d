"""Errors of language-model memories."""


class UnsupportedModelError(ValueError):
    """The model's parts cannot be found, or it cannot carry the memory that was asked for."""


NOT_LEARNED = (
    "the memory has not learned all of this, or not so often; forget the batch with the same "
    "tokens, masks and document_ids as it was learned with"
)
"""Says why a batch cannot be forgotten."""


class ForgettingError(ValueError):
    """The memory cannot remove what it has learned, or cannot be merged, exactly."""


class FoldingError(ValueError):
    """The memory cannot be merged into the output embeddings of a plain model."""
