"""Rows and labels, streamed from tables, folders of images and datasets."""

from faast.data.columns import guess_modality as guess_modality
from faast.data.labels import find_look_alikes as find_look_alikes
from faast.data.open import open_reader as open_reader
from faast.data.open import open_rows as open_rows
from faast.data.reader import DataError as DataError
from faast.data.source import Batch as Batch
from faast.data.source import RowSource as RowSource
