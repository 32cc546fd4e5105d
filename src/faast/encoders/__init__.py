"""Encoders: raw rows in, float32 features of norm 1 out."""

from faast.encoders.base import Encoder as Encoder
from faast.encoders.base import EncoderMismatchError as EncoderMismatchError
from faast.encoders.base import RowsNotLearnedError as RowsNotLearnedError
from faast.encoders.cache import CachedEncoder as CachedEncoder
from faast.encoders.cache import FeatureCacheError as FeatureCacheError
from faast.encoders.checkpoint import EncoderUnavailableError as EncoderUnavailableError
from faast.encoders.registry import load_encoder as load_encoder
