"""Memories inside any Hugging Face decoder, attached to it by forward hooks.

Needs the extra ``lm``: torch, transformers and accelerate.
"""

try:
    import torch as _torch  # noqa: F401
    import transformers as _transformers  # noqa: F401
except ImportError as error:
    raise ImportError(
        f'faast.lm needs torch and transformers ({error}); pip install "faast[lm]"'
    ) from error

from faast.lm.config import MemoryConfig
from faast.lm.exceptions import FoldingError, ForgettingError, UnsupportedModelError
from faast.lm.model import FaastForCausalLM

__all__ = [
    "FaastForCausalLM",
    "FoldingError",
    "ForgettingError",
    "MemoryConfig",
    "UnsupportedModelError",
]
