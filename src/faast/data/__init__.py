"""Data files: rows and labels, streamed."""

from faast.data.guessing import guess_modality as guess_modality
from faast.data.opening import open_reader as open_reader
from faast.data.opening import open_rows as open_rows
from faast.data.records import DataError as DataError
from faast.data.source import Batch as Batch
from faast.data.source import RowSource as RowSource
