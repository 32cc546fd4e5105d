"""Learning and predicting with Ray, for rows that are too many for one machine."""

from faast.distributed.learn import learn_dataset as learn_dataset
from faast.distributed.learn import learn_rows as learn_rows
from faast.distributed.partitions import FileRows as FileRows
from faast.distributed.predict import predict_dataset as predict_dataset
from faast.distributed.ray_dataset import DatasetRows as DatasetRows
